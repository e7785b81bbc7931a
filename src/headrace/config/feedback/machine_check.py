"""What a feedback process's configuration asks of its machine."""

from __future__ import annotations

from headrace.config.feedback.model import FeedbackConfig
from headrace.config.node_check import (
    directory_problems,
    interface_problems,
    member_problems,
    secret_problems,
    tls_problems,
    unreadable,
)
from headrace.config.problems import Problem


def machine_problems(config: FeedbackConfig) -> list[Problem]:
    """Return everything that this machine does not have as the configuration needs it."""
    found = [*tls_problems(config), *interface_problems(config)]
    found += directory_problems(config.state_directory, "state_dir")
    found += member_problems(config.network)
    found += secret_problems(config.observers_secret_file, ("observers_secret_file",))
    if config.publish.file is not None:
        found += directory_problems(config.publish.file.parent, "publish")
    for path, place in (
        (config.network.file, ("network", "file")),
        (config.probing.ca, ("probing", "ca")),
        (config.reports.token_file, ("reports", "token_file")),
    ):
        problem = None if path is None else unreadable(path, place)
        if problem is not None:
            found.append(problem)
    return found
