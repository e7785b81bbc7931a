"""What the demo says and starts, without starting it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.lab.demo import Ports, edge_arguments, greeting


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080/"),
        ("0.0.0.0", "http://127.0.0.1:8080/"),
        ("::1", "http://[::1]:8080/"),
        ("::", "http://[::1]:8080/"),
    ],
)
def test_the_greeting_gives_an_address_that_a_browser_can_open(host: str, base: str) -> None:
    assert f"Player:  {base}\n" in greeting(Ports(host, 8080, 8000, 8081))


def test_the_edge_listens_where_asked_and_fetches_from_the_demos_origin() -> None:
    arguments = edge_arguments(Ports("::1", 8080, 8000, 8081), Path("cache"))
    assert arguments[arguments.index("--listen") + 1] == "[::1]:8080"
    assert arguments[arguments.index("--origin") + 1] == "http://127.0.0.1:8000"
