"""Stale responses that may still be served (RFC 5861, RFC 9111 section 4.2.4)."""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import End, Gate, Reply, headers

OLD = b"the old one"
NEW = b"the new one"


def aged(control: str, body: bytes = OLD, tag: str = '"old"') -> Reply:
    """A response that is 100 s old as it comes."""
    return Reply(headers=headers(cache_control=control, age="100", etag=tag), body=body)


def fresh() -> Reply:
    return Reply(headers=headers(cache_control="max-age=600", etag='"new"'), body=NEW)


def test_a_stale_response_is_served_while_it_is_renewed(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    renewal = Reply(headers=fresh().headers, body=NEW, hold=gate)
    origin.serve(path, [aged("max-age=60, stale-while-revalidate=1000"), renewal])
    edge.get(path)
    found = edge.get(path)
    assert (found.body, found.age >= 100) == (OLD, True)
    gate.open()
    eventually(lambda: edge.get(path).body == NEW, "the renewed response is served")


def test_a_renewal_is_asked_for_once_however_many_clients_come(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    renewal = Reply(headers=fresh().headers, body=NEW, hold=gate)
    origin.serve(path, [aged("max-age=60, stale-while-revalidate=1000"), renewal])
    edge.get(path)
    assert [edge.get(path).body for _ in range(20)] == [OLD] * 20
    origin.wait_for(path, 2)
    gate.open()
    eventually(lambda: edge.get(path).body == NEW, "the renewed response is served")
    assert origin.count(path) == 2


def test_a_response_beyond_its_window_is_not_served_stale(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, [aged("max-age=60, stale-while-revalidate=10"), fresh()])
    edge.get(path)
    assert edge.get(path).body == NEW


@pytest.mark.parametrize("forbids", ["must-revalidate", "proxy-revalidate", "s-maxage=60"])
def test_a_response_that_forbids_it_is_not_served_stale_on_an_error(
    edge: Edge, origin: Origin, path: str, forbids: str
) -> None:
    origin.serve(path, [aged(f"max-age=60, stale-if-error=1000, {forbids}"), Reply(status=503)])
    edge.get(path)
    assert edge.get(path).status in (503, 504)


FAILURES = {
    "500": Reply(status=500, body=b"oops"),
    "502": Reply(status=502, body=b"oops"),
    "503": Reply(status=503, body=b"oops"),
    "504": Reply(status=504, body=b"oops"),
    "a reset": Reply(end=End("before_head", reset=True)),
    "half a head": Reply(end=End("in_head")),
    "nonsense": Reply(raw=b"nonsense\r\n\r\n"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_stale_response_hides_a_failing_origin(
    edge: Edge, origin: Origin, path: str, case: str
) -> None:
    origin.serve(path, [aged("max-age=60, stale-if-error=1000"), FAILURES[case]])
    edge.get(path)
    found = edge.get(path)
    assert (found.status, found.body) == (200, OLD)


def test_without_leave_an_error_is_not_hidden(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, [aged("max-age=60"), Reply(status=503, body=b"oops")])
    edge.get(path)
    assert edge.get(path).status == 503


def test_a_404_is_no_failure_that_a_stale_response_hides(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, [aged("max-age=60, stale-if-error=1000"), Reply(status=404)])
    edge.get(path)
    assert edge.get(path).status == 404


def test_a_server_error_during_renewal_keeps_the_old_response(
    edge: Edge, origin: Origin, path: str
) -> None:
    control = "max-age=60, stale-while-revalidate=1000, stale-if-error=1000"
    origin.serve(path, [aged(control), Reply(status=503), fresh()])
    edge.get(path)
    assert edge.get(path).body == OLD
    origin.wait_for(path, 2)
    eventually(lambda: edge.get(path).body == NEW, "a later renewal succeeds")
