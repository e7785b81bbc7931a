"""Fixtures for conversations: see the package's docstring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.edge import Edge, running_edge
from tests.harness.raw_origin import RawOrigin
from tests.integration.edge.conftest import edge, edges, origin, path

__all__ = ["edge", "edges", "listening_origin", "origin", "path", "raw_edge", "raw_origin"]


@pytest.fixture(scope="module")
def listening_origin() -> Iterator[RawOrigin]:
    """What `raw_origin` is, for all tests of a module."""
    with RawOrigin() as running:
        yield running


@pytest.fixture
def raw_origin(listening_origin: RawOrigin) -> Iterator[RawOrigin]:
    """An origin that the test drives step by step; no connection outlives the test."""
    yield listening_origin
    listening_origin.hang_up()


@pytest.fixture(scope="module")
def raw_edge(
    request: pytest.FixtureRequest,
    listening_origin: RawOrigin,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Edge]:
    """An edge of one worker before `raw_origin`; a module's `RAW_EDGE` adds to its config."""
    overrides = {"workers": 1, **getattr(request.module, "RAW_EDGE", {})}
    directory: Path = tmp_path_factory.mktemp("raw-edge")
    with running_edge(listening_origin.url, directory, overrides) as running:
        yield running
        listening_origin.hang_up()
