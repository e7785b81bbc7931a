"""Two and three clients on one fill of one worker, and what origins and operators do meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.harness.interleaved.origin import breaks, fails, ok
from tests.harness.interleaved.record import Client, Story
from tests.unit.edge.interleavings.conftest import Tried

LEAVER = Client("a", ("asks", "leaves"))
STAYER = Client("b")
FIRST = Client("z", ())  # asks before the others, so that something is stored
LARGE = ok(slices=2.5, pieces=3)
PURGES = ("purges url /film", "purges tag", "purges all")


def ranged(client: Client, span: str) -> Client:
    return replace(client, fields=(f"Range: bytes={span}",))


def known(client: str) -> Client:
    return Client(client, ("asks", "leaves"), fields=(f"Authorization: {client}",))


SHARED = {
    "small": Story((LEAVER, STAYER), collapses=True),
    "without a validator": Story((LEAVER, STAYER), (ok(strong=False),), collapses=True),
    "large": Story((LEAVER, STAYER), (LARGE,), collapses=True, most_asked=3),
    "of unknown length": Story((LEAVER, STAYER), (ok(slices=1.5, chunked=True),), most_asked=2),
    "of unknown length, without a validator": Story(
        (LEAVER, STAYER), (ok(slices=1.5, chunked=True, strong=False),), most_asked=2
    ),
    "ranges of two slices": Story(
        (ranged(LEAVER, "0-999"), ranged(STAYER, "70000-70999")), (LARGE,),
        collapses=True, most_asked=2,
    ),
    "ranges of one slice": Story(
        (ranged(LEAVER, "0-999"), ranged(STAYER, "500-1000")), (LARGE,), collapses=True
    ),
    "a range and the whole": Story(
        (ranged(LEAVER, "70000-70999"), STAYER), (LARGE,), most_asked=3
    ),
    "HEAD": Story((replace(LEAVER, method="HEAD"), STAYER), most_asked=2),
    "a reload": Story((LEAVER, STAYER), others=(("reloads 0",),)),
    "a drain": Story((LEAVER, STAYER), (LARGE,), (("drains 0",),), most_asked=3),
}  # fmt: skip
OWN = {
    "no-store": Story((LEAVER, STAYER), (ok(control="no-store"),), most_asked=2),
    "no-store once": Story((LEAVER, STAYER), (ok(control="no-store"), ok()), most_asked=2),
    "private": Story((LEAVER, STAYER), (ok(control="private, max-age=60"),), most_asked=2),
    "Authorization": Story((known("a"), known("b")), most_asked=3),
}
FAILING = {
    "an error": Story((LEAVER, STAYER), (fails(500),), most_asked=3, may_fail=True),
    "an error once": Story((LEAVER, STAYER), (fails(503), ok()), most_asked=3, may_fail=True),
    "a cut": Story((LEAVER, STAYER), (ok(stops_after=1), ok()), most_asked=3, may_fail=True),
    "a cut of a large one": Story(
        (LEAVER, STAYER), (ok(slices=2.5, pieces=3, stops_after=2), ok(slices=2.5)),
        most_asked=4, may_fail=True,
    ),
    "a cut without a validator": Story(
        (LEAVER, STAYER), (ok(strong=False, stops_after=1), ok(strong=False)),
        most_asked=3, may_fail=True,
    ),
    "no answer once": Story((LEAVER, STAYER), (breaks(), ok()), most_asked=3, may_fail=True),
    "never an answer": Story((LEAVER, STAYER), silent=True, most_asked=4, may_fail=True),
}  # fmt: skip
STALE = {
    name: replace(story, clients=(LEAVER, STAYER, FIRST), before=("z asks", "passes 61"))
    for name, story in {
        "304": Story((), most_asked=2, collapses=True),
        "an error": Story((), (ok(), fails(500)), most_asked=3, stale=True),
        "no answer": Story((), (ok(), breaks()), most_asked=5, stale=True),
        "404": Story((), (ok(), fails(404)), most_asked=3),
        "no-store": Story((), (ok(), ok(control="no-store", strong=False)), most_asked=3),
        "while it is validated": Story(
            (), (ok(control="max-age=60, stale-while-revalidate=60"),), most_asked=2, stale=True
        ),
        "purged while it is validated": Story(
            (), (ok(control="max-age=60, stale-while-revalidate=60"),),
            (("purges url /film",),), most_asked=3, stale=True,
        ),
        "purged": Story((), (ok(slices=1.5),), (("purges url /film",),), most_asked=3),
    }.items()
}  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_a_response_is_shared(name: str, any_order: Tried) -> None:
    any_order(SHARED[name])


@pytest.mark.parametrize(
    "name", ["small", "without a validator", "large", "ranges of one slice", "HEAD"]
)
def test_a_response_is_shared_in_every_order(name: str, every_order: Tried) -> None:
    every_order(SHARED[name])


def test_three_clients_share_a_response(any_order: Tried) -> None:
    third = Client("c", ("asks", "leaves"))
    any_order(Story((LEAVER, STAYER, third), collapses=True), 10)


def test_a_slow_client_holds_nobody_up(any_order: Tried) -> None:
    slow = Client("b", ("asks", "reads 70000", "leaves"), reads=100)
    any_order(Story((LEAVER, slow), (LARGE,), collapses=True, most_asked=3), 10)


@pytest.mark.parametrize("name", OWN)
def test_what_is_one_clients_reaches_no_other(
    name: str, every_order: Tried, any_order: Tried
) -> None:
    every_order(OWN[name])
    any_order(OWN[name])


@pytest.mark.parametrize("name", FAILING)
def test_an_origin_fails(name: str, every_order: Tried, any_order: Tried) -> None:
    every_order(FAILING[name])
    any_order(FAILING[name])


@pytest.mark.parametrize("name", STALE)
def test_what_is_stale_is_renewed(name: str, every_order: Tried, any_order: Tried) -> None:
    every_order(STALE[name])
    any_order(STALE[name])


@pytest.mark.parametrize("purge", PURGES)
def test_a_purge_comes_at_any_moment(purge: str, any_order: Tried) -> None:
    any_order(Story((LEAVER, STAYER), others=((purge,),), most_asked=3), 10)


def test_a_soft_purge_comes_at_any_moment(any_order: Tried) -> None:
    purge = ("softly-purges url /film",)
    any_order(Story((LEAVER, STAYER), others=(purge,), most_asked=3, stale=True), 10)


def test_the_origin_gets_another_version(any_order: Tried) -> None:
    clients = (ranged(LEAVER, "70000-70999"), STAYER)
    others: tuple[tuple[str, ...], ...] = (("version 2",), ("purges url /film",))
    any_order(Story(clients, (LARGE,), others, most_asked=6, may_fail=True), 10)
