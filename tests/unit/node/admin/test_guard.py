"""What keeps web pages away from the admin API."""

from __future__ import annotations

import pytest

from headrace.node.admin.guard import from_elsewhere, host_allowed, own_names

NAMES = frozenset({"localhost", "edge1.example.org", "edge1"})


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:9090",
        "127.0.0.1",
        "[::1]:9090",
        "[::1]",
        "localhost:1",
        "LOCALHOST",
        "edge1:9",
        "edge1.example.org.",
    ],
)
def test_an_address_or_an_own_name_is_allowed(host: str) -> None:
    assert host_allowed(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:9090",
        "[evil]:1",
        "127.0.0.1@evil",
    ],
)
def test_a_name_that_dns_may_turn_here_is_not(host: str | None) -> None:
    assert not host_allowed(host, NAMES)


def test_this_machine_may_be_asked_as_localhost() -> None:
    assert "localhost" in own_names()


def test_a_command_line_client_is_not_from_elsewhere() -> None:
    assert not from_elsewhere(None, None, "127.0.0.1:9090")


@pytest.mark.parametrize(
    ("origin", "fetch_site"),
    [
        ("http://evil.example", None),
        ("null", None),
        (None, "cross-site"),
        (None, "same-site"),
        ("http://127.0.0.1:9090", "cross-site"),
        ("http://127.0.0.1:9091", None),
    ],
)
def test_another_sites_page_is_from_elsewhere(origin: str | None, fetch_site: str | None) -> None:
    assert from_elsewhere(origin, fetch_site, "127.0.0.1:9090")


def test_a_page_of_the_admin_api_itself_is_not() -> None:
    assert not from_elsewhere("http://127.0.0.1:9090", "same-origin", "127.0.0.1:9090")
