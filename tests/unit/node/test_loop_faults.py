"""What fails in an event loop where nobody waits for it."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from headrace.node.loop_faults import log_loop_faults


def _logged(message: str, error: Exception) -> list[tuple[str, str]]:
    loop = asyncio.new_event_loop()
    try:
        log_loop_faults(loop)
        with capture_logs() as lines:
            loop.call_exception_handler({"message": message, "exception": error})
    finally:
        loop.close()
    return [(line["event"], line["log_level"]) for line in lines]


def test_a_fault_is_an_event_of_the_log() -> None:
    assert _logged("Task exception was never retrieved", ValueError("x")) == [
        ("loop_fault", "error")
    ]


def test_a_tls_connection_that_was_given_up_is_no_fault() -> None:
    closed = RuntimeError("unable to perform operation on <TCPTransport closed=True>; closed")
    assert _logged("Fatal error on SSL protocol", closed) == [("tls_given_up", "debug")]
    assert _logged("Fatal error on SSL protocol", KeyError("x")) == [("loop_fault", "error")]
