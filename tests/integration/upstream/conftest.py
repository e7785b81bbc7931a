"""Fixtures for the origin client: a scripted origin and a path nobody else uses."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.harness.origin import Origin


@pytest.fixture(scope="package")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    name = re.sub(r"[^A-Za-z0-9_]+", "-", request.node.name)
    return f"/{request.module.__name__.rsplit('.', 1)[-1]}/{name}"
