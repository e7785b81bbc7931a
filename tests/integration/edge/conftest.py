"""Fixtures for tests of a running edge: one scripted origin, and an edge for each config.

A module that needs its own config sets `EDGE` (see `config_for`); modules with equal ones share an
edge, and each test has a path of its own.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin

Starter = Callable[[dict[str, object]], Edge]


@pytest.fixture(scope="session")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(scope="session")
def edges(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    running: dict[str, Edge] = {}
    with contextlib.ExitStack() as stack:

        def start(overrides: dict[str, object]) -> Edge:
            known = json.dumps(overrides, sort_keys=True, default=str)
            if known not in running:
                directory = tmp_path_factory.mktemp("edge")
                running[known] = stack.enter_context(running_edge(origin.url, directory, overrides))
            return running[known]

        yield start
        for edge in running.values():  # all at once: each waits a second or two for itself
            edge.begin_to_stop()


@pytest.fixture(scope="module")
def edge(request: pytest.FixtureRequest, edges: Starter) -> Edge:
    return edges(getattr(request.module, "EDGE", {}))


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """A path that no other test uses."""
    name = re.sub(r"[^A-Za-z0-9_]+", "-", request.node.name)
    return f"/{request.module.__name__.rsplit('.', 1)[-1]}/{name}"
