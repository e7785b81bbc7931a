"""How every process of Headrace writes its own events: structlog to standard error.

JSON lines for machines; readable lines when a person watches on a terminal. The access log is
elsewhere (accesslog). Nothing that writes here ever waits for who reads it (queued_stream); that
holds for `sys.stderr` too, since libraries and tracebacks go there.
"""

from __future__ import annotations

import atexit
import datetime
import json
import logging
import sys
from typing import TextIO, cast

import structlog

from headrace.telemetry.queued_stream import QueuedStream
from headrace.telemetry.repetition import Repetition

_own: list[QueuedStream] = []
_debugging = [True]


def configure_logging(
    level: str = "info", *, stream: TextIO | None = None, **bound: str | int
) -> None:
    """Set up structlog for this process; `bound` fields are in every event (say, `worker=2`).

    Without a `stream` the process's standard error is queued from now on.
    """
    out = _queued_stderr() if stream is None else stream
    _debugging[0] = level.lower() == "debug"
    shared: list[structlog.typing.Processor] = [
        Repetition(),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    last: list[structlog.typing.Processor]
    if out.isatty():
        last = [structlog.dev.ConsoleRenderer()]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)


def debugging() -> bool:
    """Return whether events of level debug are written: to say nothing costs 5 µs otherwise."""
    return _debugging[0]


def events_dropped() -> int:
    """Return how many lines of this process's own log were lost, as they were not read in time."""
    return sum(stream.dropped for stream in _own)


def _queued_stderr() -> TextIO:
    if not _own:
        own = QueuedStream(sys.stderr.fileno(), _lost)
        _own.append(own)
        atexit.register(own.end)
        sys.stderr = cast("TextIO", own)
    return cast("TextIO", _own[0])


def _lost(number: int) -> str:
    now = datetime.datetime.now(datetime.UTC).isoformat()
    line = {"event": "log_lines_dropped", "count": number, "level": "warning", "time": now}
    return json.dumps(line) + "\n"
