"""Whether the system lets an edge hold the connections and files that its configuration allows."""

from __future__ import annotations

import resource
from pathlib import Path

import structlog

from headrace.config.descriptors import descriptors_for_clients
from headrace.config.edge.model import Config

log = structlog.get_logger()

SPARE_DESCRIPTORS = 160
_SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


DESCRIPTORS_OF_A_BODY = 2
"""A body that is kept open has its file's, and its mapping's."""


def descriptors_needed(config: Config) -> int:
    """Descriptors one worker may come to hold: each client and an origin for it, and bodies."""
    bodies = config.store.open_files * DESCRIPTORS_OF_A_BODY
    return config.limits.connections * 2 + bodies + SPARE_DESCRIPTORS


def open_files_within(open_files: int, limit: int) -> int:
    """Return how many bodies a worker keeps open at most: as configured, if they take no more than
    a quarter of its descriptors.
    """
    return open_files if limit < 0 else min(open_files, limit // 4 // DESCRIPTORS_OF_A_BODY)


def complaints(config: Config, *, descriptors: int, somaxconn: int | None) -> list[str]:
    """Return what is too low, with its remedy. `somaxconn` None: not known here."""
    found: list[str] = []
    needed = descriptors_needed(config)
    if descriptors < needed:
        found.append(
            f"the limit on open files is {descriptors}, but limits.connections = "
            f"{config.limits.connections} and store.open_files = {config.store.open_files} may "
            f"need {needed} for each worker: set LimitNOFILE={needed} in the systemd unit or run "
            f"`ulimit -n {needed}` before the edge, or lower limits.connections; until then a "
            f"worker accepts no client while it uses {descriptors_for_clients(descriptors)}"
        )
    if somaxconn is not None:
        for listener in config.listeners:
            if listener.backlog > somaxconn:
                found.append(
                    f"the backlog of {listener.address} is {listener.backlog}, but the kernel caps "
                    f"it at net.core.somaxconn = {somaxconn}: run `sysctl -w "
                    f"net.core.somaxconn={listener.backlog}` or lower the backlog"
                )
    return found


def raise_nofile_limit(config: Config) -> list[str]:
    """Raise the soft limit on open files to the hard one; log and return what is still too low.

    Workers inherit the limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    descriptors = 2**31 if hard == resource.RLIM_INFINITY else hard
    try:
        somaxconn = int(_SOMAXCONN.read_text(encoding="ascii"))
    except OSError:
        somaxconn = None
    found = complaints(config, descriptors=descriptors, somaxconn=somaxconn)
    for complaint in found:
        log.warning("limit_too_low", problem=complaint)
    return found
