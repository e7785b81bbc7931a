"""One store for all stories, and the check that none of them leaves a descriptor open."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from tests.harness.interleaved.ground import Ground
from tests.harness.interleaved.record import Story
from tests.harness.interleaved.scene import playing, playing_freely
from tests.harness.interleaving import explore, sample

COUNT = int(os.environ.get("HEADRACE_INTERLEAVINGS", "0"))
"""How many orders of each story to try; 0: as many as its test says."""

Tried = Callable[..., None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a long exploration the time that it takes."""
    for item in items:
        if COUNT and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        gc.collect()
        gc.freeze()  # the collector need not look at what was there before
        ground = Ground(Path(directory) / "cache")
        yield ground
        ground.close()
        gc.unfreeze()


@pytest.fixture(scope="session")
def ground_with_small_bodies() -> Iterator[Ground]:
    """Another, on which small bodies are kept in the index, as a usual edge does."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        ground = Ground(Path(directory) / "cache", inline_bytes=16 * 1024)
        yield ground
        ground.close()


@pytest.fixture(autouse=True)
def _nothing_stays_open(ground: Ground, ground_with_small_bodies: Ground) -> Iterator[None]:
    """Count descriptors around each test; and write no log, which would take most of the time."""
    gc.collect()  # what other tests left is closed by now, not in the middle of this one
    before = sorted(os.listdir("/proc/self/fd"))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()
    gc.collect()
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def every_order(ground: Ground) -> Tried:
    """Run every order of a story's moves, each made when the workers are at rest."""

    def run(story: Story) -> None:
        explored = explore(
            playing(story, ground), most_runs=COUNT or 2000, replayed=playing_freely(story, ground)
        )
        assert explored.failure is None, str(explored.failure)
        assert explored.complete or COUNT, "too many orders for a test"

    return run


@pytest.fixture
def any_order(ground: Ground) -> Tried:
    """Run some orders in which a move may come between any two turns of the loops."""

    def run(story: Story, count: int = 8) -> None:
        make = playing_freely(story, ground)
        explored = sample(make, seed=COUNT or 1, count=COUNT or count)
        assert explored.failure is None, str(explored.failure)

    return run
