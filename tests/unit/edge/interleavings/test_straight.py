"""Small misses that take no task, in two workers on one store, in whatever order things happen: a
key is filled by one at a time, and a permit dies with its holder.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.harness.interleaved.ground import Ground
from tests.harness.interleaved.origin import Answer, fails, ok
from tests.harness.interleaved.record import Client, Story
from tests.harness.interleaved.scene import playing, playing_freely
from tests.harness.interleaving import explore, sample
from tests.unit.edge.interleavings.conftest import COUNT

SMALL = ok(slices=0.1, pieces=1)
WARM = (Client("v", path="/warm"), Client("w", worker=1, path="/warmer"))
"""Who has each worker keep a connection to the origin: only there a miss goes straight."""
HERE = Client("a", ("asks", "leaves"))
THERE = Client("b", worker=1)
ALSO_HERE = Client("c")


def story(
    answer: Answer = SMALL,
    *others: tuple[str, ...],
    clients: tuple[Client, ...] = (HERE, THERE),
    most_asked: int = 2,
    may_fail: bool = False,
    collapses: bool = False,
) -> Story:
    """`most_asked` is for what it is about, without the warming."""
    return Story(
        (*WARM, *clients), (SMALL, SMALL, answer, SMALL), (*others, ("passes 0.03",)),
        before=("v asks", "w asks"), workers=2, most_asked=most_asked + 2, may_fail=may_fail,
        collapses=collapses,
    )  # fmt: skip


STORIES = {
    "share": story(most_asked=1, collapses=True),
    "three share": story(clients=(HERE, THERE, ALSO_HERE), most_asked=1, collapses=True),
    "own": story(ok(slices=0.1, pieces=1, control="no-store"), most_asked=3),
    "fail": story(fails(500), most_asked=4, may_fail=True),
    "in many pieces": story(ok(slices=0.2, pieces=4), most_asked=1, collapses=True),
    "of an unknown length": story(ok(slices=0.1, chunked=True), most_asked=1, collapses=True),
    "are cut": story(ok(slices=0.1, stops_after=1), most_asked=4, may_fail=True),
    "purged": story(SMALL, ("purges url /film",), most_asked=3),
    "softly purged": story(SMALL, ("softly-purges url /film",), most_asked=3),
    "one dies": story(SMALL, ("kills 0",), most_asked=3),
    "the other dies": story(SMALL, ("kills 1",), most_asked=3),
    "full": story(SMALL, ("disk full", "disk well"), most_asked=4),
    "failing": story(SMALL, ("disk failing", "disk well"), most_asked=4, may_fail=True),
    "reloads": story(SMALL, ("reloads 0",), most_asked=1, collapses=True),
    "drains": story(SMALL, ("drains 0",), most_asked=2),
}


def test_two_workers_share_a_small_response_in_every_order(
    ground_with_small_bodies: Ground,
) -> None:
    told = STORIES["share"]
    explored = explore(
        playing(told, ground_with_small_bodies), most_runs=COUNT or 2000,
        replayed=playing_freely(told, ground_with_small_bodies),
    )  # fmt: skip
    assert explored.failure is None, str(explored.failure)
    assert explored.complete or COUNT, "too many orders for a test"


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("small", [True, False], ids=["inside", "in files"])
def test_whatever_comes_between(
    name: str, small: bool, ground: Ground, ground_with_small_bodies: Ground
) -> None:
    make = playing_freely(STORIES[name], ground_with_small_bodies if small else ground)
    explored = sample(make, seed=COUNT or 1, count=COUNT or 10)
    assert explored.failure is None, str(explored.failure)


def test_a_miss_of_these_stories_takes_no_task(ground_with_small_bodies: Ground) -> None:
    """Else they would tell nothing."""
    scene = playing(replace(STORIES["share"], others=()), ground_with_small_bodies)()
    try:
        scene.move("a asks")
        (worker, _other) = scene.workers  # type: ignore[attr-defined]
        assert len(worker.edge.fills._straight) == 1
        assert not worker.edge.tasks._running
        scene.finish()
    finally:
        scene.close()
