"""Fills of networks that may leave nothing behind: the last client to leave breaks them off."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.interleaved.ground import Ground
from tests.harness.interleaved.origin import ok
from tests.harness.interleaved.record import Client, Story
from tests.unit.edge.interleavings.conftest import Tried

LEAVER = Client("a", ("asks", "leaves"))
OTHER = Client("b", ("asks", "leaves"))


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with tempfile.TemporaryDirectory() as directory:
        limits = {"unwatched_fills_per_address": 0}
        ground = Ground(Path(directory) / "cache", limits=limits)
        yield ground
        ground.close()


STORIES = {
    "one": Story((LEAVER,)),
    "two": Story((LEAVER, OTHER), most_asked=2),
    "large": Story((LEAVER, OTHER), (ok(slices=1.5),), most_asked=3),
    "workers": Story(
        (LEAVER, Client("b", ("asks", "leaves"), worker=1)),
        (ok(slices=1.5),),
        (("passes 0.03",),),
        workers=2,
        most_asked=3,
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_fill_is_broken_off(name: str, any_order: Tried) -> None:
    any_order(STORIES[name], 10)
