"""A site's router and servers in namespaces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.namespaces import Namespaces


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    """Namespaces that are gone after the test, whatever happened."""
    with Namespaces() as made:
        yield made
