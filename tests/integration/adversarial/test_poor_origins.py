"""Three origins, none of which is sound: what they have between them reaches every client whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import running_edge
from tests.harness.origin import Origin
from tests.harness.replies import End, Recorded, Reply, cacheable

BODY = Body(17, 300_000)
GOOD = cacheable(BODY)
CLIENTS = 80


@pytest.fixture
def three() -> Iterator[list[Origin]]:
    with Origin() as one, Origin() as two, Origin() as three:
        yield [one, two, three]


def sound_from_the_second_on() -> Callable[[Recorded], Reply]:
    seen: set[str] = set()

    def answer(request: Recorded) -> Reply:
        if request.path in seen:
            return GOOD
        seen.add(request.path)
        return Reply(503, body=b"not yet")

    return answer


def service(origins: list[Origin], choice: str) -> dict[str, object]:
    pool = {
        "name": "poor",
        "choice": choice,
        "origin": [
            {"url": each.url, "name": name} for each, name in zip(origins, "abc", strict=False)
        ],
    }
    return {"name": "poor", "hosts": ["poor.test"], "pool": [pool]}


@pytest.mark.parametrize("choice", ["weighted", "first", "consistent"])
def test_no_client_is_cut_while_some_origin_can_go_on(
    tmp_path: Path, three: list[Origin], choice: str
) -> None:
    slow, broken, dead = three
    slow.serve_under("/", sound_from_the_second_on())
    broken.serve_under("/", lambda _request: replace(GOOD, end=End(120_000, reset=True)))
    dead.serve_under("/", lambda _request: Reply(end=End("before_head", reset=True)))
    overrides: dict[str, object] = {"workers": 1, "more_services": [service(three, choice)]}
    with running_edge(slow.url, tmp_path, overrides) as edge:
        found = [edge.get(f"/{number}", ("Host", "poor.test")) for number in range(CLIENTS)]
        begun = [each for each in found if each.status == 200]
        assert len(begun) > CLIENTS / 2
        assert all(each.complete and each.body == BODY.read() for each in begun)
        assert [each.status for each in found if each.status != 200] == []


def test_a_pool_that_is_gone_cuts_in_the_end(tmp_path: Path, three: list[Origin]) -> None:
    first, *others = three
    gone = Reply(end=End("before_head", reset=True))
    for other in others:
        other.serve("/a", gone)
    first.serve("/a", [replace(GOOD, end=End(120_000, reset=True)), gone])
    overrides: dict[str, object] = {"workers": 1, "more_services": [service(three, "first")]}
    with running_edge(first.url, tmp_path, overrides) as edge:
        edge.expected_errors = {"origin_switch_failed"}
        found = edge.get("/a", ("Host", "poor.test"))
        assert (found.complete, found.body) == (False, BODY.read(0, len(found.body)))
        # Two rounds are free, one may wait for the budget, which has ten to begin with.
        assert sum(each.count("/a") for each in three) <= 30


def test_one_client_cannot_take_an_origin_from_the_others(
    tmp_path: Path, three: list[Origin]
) -> None:
    first, second, _third = three
    for each in (first, second):
        each.serve_under("/good", lambda _request: cacheable(b"good"))
    first.serve_under("/choke", lambda _request: Reply(end=End("before_head", reset=True)))
    second.serve_under("/choke", lambda _request: Reply(503))
    overrides: dict[str, object] = {"workers": 1, "more_services": [service(three[:2], "first")]}
    with running_edge(first.url, tmp_path, overrides) as edge:
        for number in range(40):
            assert edge.get(f"/choke/{number}", ("Host", "poor.test")).status == 503
        for number in range(5):
            assert edge.get(f"/good/{number}", ("Host", "poor.test")).status == 200
            assert first.count(f"/good/{number}") == 1
        assert not edge.events("origin_ejected")
