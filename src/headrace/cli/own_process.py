"""Whether a command has the process for itself, and what only such a one may do: fork."""

from __future__ import annotations

from contextvars import ContextVar

from headrace.node.fork_server import ForkServer, begin_fork_server

OWN_PROCESS = ContextVar("OWN_PROCESS", default=False)
"""Set by the console script, which ends with the command."""


def begin_workers(role: str) -> ForkServer | None:
    """Import a role's worker, and begin the process that forks workers. To be called before its
    file is read: what this process knows by now, each worker has in its memory.

    Return None where the command runs within another program, which may have threads and files.
    """
    if not OWN_PROCESS.get():
        return None
    return begin_fork_server(f"headrace.{role}.worker")
