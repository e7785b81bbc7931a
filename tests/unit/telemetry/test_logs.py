"""How events are written."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from headrace.telemetry.logs import configure_logging


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    yield io.StringIO()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_an_event_is_a_line_of_json_with_its_fields(stream: io.StringIO) -> None:
    configure_logging(stream=stream, worker=2)
    structlog.get_logger().info("reloaded", version=3)
    event = json.loads(stream.getvalue())
    assert (event["event"], event["level"], event["worker"], event["version"]) == (
        "reloaded",
        "info",
        2,
        3,
    )


def test_an_event_below_the_level_is_not_written(stream: io.StringIO) -> None:
    configure_logging("warning", stream=stream)
    structlog.get_logger().info("ready")
    assert stream.getvalue() == ""


def test_text_from_outside_cannot_begin_a_line(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    structlog.get_logger().info("purge", url="http://x/\n{}")
    assert stream.getvalue().count("\n") == 1


def test_a_flood_of_failed_requests_does_not_fill_the_log(stream: io.StringIO) -> None:
    configure_logging(stream=stream)
    for _ in range(1000):
        structlog.get_logger().warning("request_failed", reason="origin_failed")
    assert stream.getvalue().count("\n") < 500
