"""`headrace feedback` as a process: `python -m tests.harness.run_feedback feedback.toml`.

CLOCK_AHEAD_S in the environment sets its clock, and that of its worker, so many seconds ahead.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from headrace.config.feedback import FEEDBACK
from headrace.config.loader import load_config
from headrace.feedback.role import FeedbackRole
from headrace.feedback.worker import FeedbackWorker
from headrace.node.fork_server import begin_fork_server
from headrace.node.run import run
from headrace.node.worker import run_worker


class TestedRole(FeedbackRole):
    """The role, with workers whose clock may be wrong."""

    @property
    def worker_command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "tests.harness.run_feedback", "worker")


def set_clock() -> None:
    """Set the clock of this process ahead."""
    ahead_s, right = float(os.environ.get("CLOCK_AHEAD_S", "0")), time.time
    if ahead_s:
        time.time = lambda: right() + ahead_s


def serve(descriptor: int) -> int:
    return run_worker(FeedbackWorker, descriptor)


def main(argument: str) -> int:
    set_clock()
    if argument == "worker":
        return serve(int(sys.argv[-1]))
    forks, path = begin_fork_server("tests.harness.run_feedback"), Path(argument)
    return run(TestedRole(), load_config(path, FEEDBACK), path, forks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
