"""What an event loop could tell nobody: it goes to the log as an event, not as bare lines among
them.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

_OF_TLS = "Fatal error on SSL protocol"

log = structlog.get_logger()


def log_loop_faults(loop: asyncio.AbstractEventLoop) -> None:
    """Have a loop log what fails where nobody waits for it."""
    loop.set_exception_handler(_log)


def _log(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error, message = context.get("exception"), str(context.get("message", ""))
    if message == _OF_TLS and isinstance(error, RuntimeError) and "closed" in str(error):
        # uvloop writes once more to a connection that was given up in its handshake.
        log.debug("tls_given_up", problem=str(error))
        return
    log.error("loop_fault", problem=message, exc_info=error)
