"""One demo for the tests that only ask it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.demo import Demo


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo") / "demo.log", "--port", "0", "--routers", "2")
    try:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0, running.output
    finally:
        running.kill()
