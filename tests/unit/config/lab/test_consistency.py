"""Mistakes in a topology, each with its line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.lab import LAB
from headrace.config.loader import load_config
from headrace.config.problems import ConfigError

GOOD = """\
[[isp]]
name = "north"
as = 64500

[[site]]
name = "oslo"
isp = "north"
as = 64510
"""


def refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "lab.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config(file, LAB)
    return str(error.value)


def test_a_topology_needs_little(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(GOOD)
    config = load_config(file, LAB)
    assert [site.servers for site in config.sites] == [3]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('isp = "north"', 'isp = "south"', 7, "name one of north"),
        ("as = 64510", "as = 64500", 8, "north has this AS number"),
        ("as = 64510", "as = 23456", 8, "reserved"),
        ('name = "oslo"', 'name = "north"', 6, "has this name already"),
        ('name = "oslo"', 'name = "mid"', 6, "a part of every lab"),
        ('name = "oslo"', 'name = "oslo1"', 6, "taken for those of another"),
        ('name = "north"\nas', 'name = "oslo2"\nas', 2, "a server of a site has this name"),
        ("as = 64510", "as = 64510\nservers = 17", 9, "must be at most 16"),
        ("as = 64510", 'as = 64510\nhold_time = "3.5s"', 9, "whole seconds"),
        ("as = 64510", "as = 64510\nspeed = 1", 9, "unknown key"),
        (
            "as = 64510",
            'as = 64510\nservers = 16\n[site.announce]\npreference = "specific"',
            5,
            "its last VIP would be number 128",
        ),
        (
            "as = 64510",
            'as = 64510\n[site.announce]\npreference = "community"\ncommunities = ["64500:1"]',
            11,
            "3 are needed",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    text = GOOD.replace(old, new, 1)
    if 'name = "oslo2"' in new:
        text = text.replace('isp = "north"', 'isp = "oslo2"')
    said = refused(tmp_path, text)
    assert f"lab.toml:{line}:" in said, said
    assert words in said


def test_an_isp_has_addresses_for_so_many_servers(tmp_path: Path) -> None:
    more = '\n[[site]]\nname = "bergen"\nisp = "north"\nas = 64511\nservers = 14\n'
    said = refused(tmp_path, GOOD + more)
    assert "lab.toml:14:" in said
    assert "then has 17 servers" in said
