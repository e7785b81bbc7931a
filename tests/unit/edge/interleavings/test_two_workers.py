"""Two workers on one store: one fills what the other follows, and either may die."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.harness.interleaved.ground import Ground
from tests.harness.interleaved.origin import fails, ok
from tests.harness.interleaved.record import Client, Story
from tests.harness.interleaved.scene import OPERATIONS, playing_freely
from tests.harness.interleaving import replay
from tests.unit.edge.interleavings.conftest import Tried

HERE = Client("a", ("asks", "leaves"))
THERE = Client("b", worker=1)
LARGE = ok(slices=1.5)
PASSES = ("passes 0.03",)


def story(*answers: object, others: tuple[tuple[str, ...], ...] = (), **more: object) -> Story:
    made = Story((HERE, THERE), answers or (ok(),), (*others, PASSES), workers=2)  # type: ignore[arg-type]
    return replace(made, **more)  # type: ignore[arg-type]


STORIES = {
    "share": story(collapses=True),
    "share a large one": story(LARGE, collapses=True, most_asked=2),
    "own": story(ok(control="no-store"), most_asked=3),
    "fail": story(fails(500), ok(), most_asked=4, may_fail=True),
    "are cut": story(ok(slices=1.5, stops_after=1), LARGE, most_asked=4, may_fail=True),
    "purged": story(others=(("purges url /film",),), most_asked=3),
    "evicted": story(LARGE, others=(("evicts",),), most_asked=5),
    "one dies": story(LARGE, others=(("kills 0",),), most_asked=4),
    "one dies, without a validator": story(
        ok(slices=1.5, strong=False), others=(("kills 0",),), most_asked=4, may_fail=True
    ),
    "full": story(LARGE, others=(("disk full", "disk well"),), most_asked=6),
    "another version": story(
        LARGE, others=(("version 2", "purges url /film"),), most_asked=6, may_fail=True
    ),
}


def test_two_workers_share_a_response_in_every_order(every_order: Tried) -> None:
    every_order(STORIES["share"])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_slice_that_came_since_the_look_is_not_fetched_again(
    operation: int, ground: Ground
) -> None:
    """The other's fill ends before some operation of one turn: of its look, or of its permit."""
    make = playing_freely(Story((Client("a"), THERE), (ok(pieces=1),), workers=2), ground)
    asked = ["a asks", *["turn 0"] * 6, "origin 0 head", *["turn 0"] * 4]
    replay(make, [*asked, "origin 0 piece 0", "b asks", f"turn 1 with 0 at {operation}"])


@pytest.mark.parametrize("name", STORIES)
def test_one_follows_the_other(name: str, any_order: Tried) -> None:
    any_order(STORIES[name], 10)


def test_ranges_of_two_slices_without_a_validator(any_order: Tried) -> None:
    clients = (
        replace(HERE, fields=("Range: bytes=0-999",)),
        replace(THERE, fields=("Range: bytes=70000-70999",)),
    )
    any_order(replace(story(ok(slices=1.5, strong=False)), clients=clients, most_asked=4), 10)
