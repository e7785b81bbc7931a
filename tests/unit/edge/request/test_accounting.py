"""What an access log's line says of the requests to origins that a response is made of."""

from __future__ import annotations

from headrace.edge.request.accounting import origin_use
from headrace.telemetry.access_log import OriginUse
from headrace.upstream.attempt_log import Course, Tried


def course(origin: str, *failed: str, tries: int = 1, switches: int = 0) -> Course:
    trail = [Tried(name, "status_503") for name in failed]
    return Course("p", "/a", origin, tries, switches, trail)


def test_nothing_is_said_when_no_origin_was_asked() -> None:
    assert origin_use([]) is None


def test_a_course_that_has_not_begun_does_not_count() -> None:
    assert origin_use([Course()]) is None


def test_one_request_says_who_answered() -> None:
    assert origin_use([course("a")]) == OriginUse("p/a", 1, 0, "")


def test_several_requests_are_added_up() -> None:
    found = origin_use([course("b", "a", tries=2, switches=1), course("c"), course("a", "b")])
    assert found == OriginUse("p/a", 4, 1, "a: status_503, b: status_503")
