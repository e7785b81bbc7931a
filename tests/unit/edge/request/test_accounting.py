"""What an access log's line says of the requests to origins that a response is made of."""

from __future__ import annotations

from headrace.edge.request.accounting import origin_use
from headrace.telemetry.access_line import OriginUse
from headrace.upstream.attempt_log import AttemptLog, Tried


def attempt_log(origin: str, *failed: str, tries: int = 1, switches: int = 0) -> AttemptLog:
    trail = [Tried(name, "status_503") for name in failed]
    return AttemptLog("p", "/a", origin, tries, switches, trail)


def test_nothing_is_said_when_no_origin_was_asked() -> None:
    assert origin_use([]) is None


def test_an_attempt_log_that_has_not_begun_does_not_count() -> None:
    assert origin_use([AttemptLog()]) is None


def test_one_request_says_who_answered() -> None:
    assert origin_use([attempt_log("a")]) == OriginUse("p/a", 1, 0, "")


def test_several_requests_are_added_up() -> None:
    found = origin_use(
        [attempt_log("b", "a", tries=2, switches=1), attempt_log("c"), attempt_log("a", "b")]
    )
    assert found == OriginUse("p/a", 4, 1, "a: status_503, b: status_503")
