"""The security page tells the truth: what it names is there, and its example is a configuration."""

from __future__ import annotations

import re
from pathlib import Path

from headrace.config.edge import EDGE
from headrace.config.loader import load_config

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[a-z_/.]+)`", PAGE))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_example_for_the_open_internet_is_valid_and_stricter_than_the_defaults() -> None:
    found = load_config(ROOT / "docs" / "examples" / "open-internet.toml", EDGE)
    usual = load_config(ROOT / "docs" / "examples" / "edge.toml", EDGE)
    assert found.limits.connections < usual.limits.connections
    assert found.limits.connections_per_address < usual.limits.connections_per_address
    assert found.limits.ranges < usual.limits.ranges
    assert found.limits.request_body_bytes is not None
    assert all("*" not in service.hosts for service in found.services)


def test_who_finds_a_hole_learns_where_to_go() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "docs/security.md" in text
    assert "private security advisory" in text
