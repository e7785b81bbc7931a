"""Each mistake with VIPs gets its message, with its line and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.problems import ConfigError
from headrace.topology.build import load_description

HEAD = '[[class]]\nname = "all"\n[[site]]\nname = "north"\ncoordinates = [0, 0]\n'
ANNOUNCE = "[site.announce]\nneighbours = 1\n"
FIRST = 'vips = [{ ipv4 = "192.0.2.128" }, { ipv4 = "192.0.2.144" }]\n'
SECOND = 'vips = [{ ipv4 = "192.0.2.160" }]\n'
SOUTH = (
    '[[site]]\nname = "south"\ncoordinates = [1, 1]\n'
    '[[server]]\nname = "s1"\nsite = "south"\nhost = "s1.example"\n'
    'ipv4 = ["192.0.2.9"]\nvips = [{ ipv4 = "192.0.2.146" }]\n'
    '[[server]]\nname = "s2"\nsite = "south"\nhost = "s2.example"\nipv4 = ["192.0.2.10"]\n'
)


def _server(number: int) -> str:
    return (
        f'[[server]]\nname = "n{number}"\nsite = "north"\nhost = "n{number}.example"\n'
        f'ipv4 = ["192.0.2.{number}"]\n'
    )


GOOD = HEAD + ANNOUNCE + _server(1) + FIRST + _server(2) + SECOND


def told(tmp_path: Path, text: str) -> list[str]:
    """Return the problems of a description, or its warnings; each is a line and a remedy."""
    path = tmp_path / "network.toml"
    path.write_text(text)
    try:
        said = "\n".join(load_description(path).warnings)
    except ConfigError as error:
        said = str(error)
    return said.replace(f"{path}:", "").splitlines()


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_the_good_one_is_good(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD) == []
    assert told(tmp_path, GOOD + SOUTH) == []
    assert told(tmp_path, edited(SECOND, "")) == []  # a server without any stands by


# What is written in place of what, the text of the line that the message names, and the message.
WRONG = [
    (FIRST, "vips = [{}]\n", "vips = [{}]", "server[0].vips[0]: this VIP has no address"),
    (".160", ".128", SECOND, "server[1].vips[0].ipv4 = '192.0.2.128': it is a VIP of 'n1' already"),
    (".144", ".128", FIRST, "server[0].vips[1].ipv4 = '192.0.2.128': it is a VIP of this server"),
    (".144", ".1", FIRST, "vips[1].ipv4 = '192.0.2.1': it is this server's own address, which"),
    (".144", ".2", FIRST, "server[0].vips[1].ipv4 = '192.0.2.2': it is 'n2''s own address"),
    ("192.0.2.160", "127.0.0.1", SECOND, "'127.0.0.1' is a loopback address, which no router"),
    ("192.0.2.160", "169.254.1.1", SECOND, "'169.254.1.1' is a link-local address"),
    ("192.0.2.160", "240.0.0.1", SECOND, "'240.0.0.1' is a reserved address"),
    ("192.0.2.160", "0.1.2.3", SECOND, "'0.1.2.3' is a reserved address"),
    ("192.0.2.160", "224.0.0.1", SECOND, "'224.0.0.1' is no address of one server"),
    ("192.0.2.160", "192.0.2", SECOND, "'192.0.2' is not an IPv4 address"),
    (
        '{ ipv4 = "192.0.2.160" }', '{ ipv6 = "::1" }', "::1", "'::1' is a loopback address",
    ),
    (
        '{ ipv4 = "192.0.2.160" }', '{ ipv6 = "2001:db8::1" }', "2001",
        "vips[0].ipv6 = '2001:db8::1': 'n2' has no IPv6 address of its own: routers would have no "
        "next hop",
    ),
    (SECOND, f"vips = [{', '.join(['{}'] * 5)}]\n", "vips = [{}, ", "server[1].vips"),
    ("neighbours = 1", "neighbours = 9", "neighbours = 9", "neighbours = 9: must be at most 8"),
    (ANNOUNCE, f"{ANNOUNCE}med_step = 613566756\n", "med_step", "would have the metric 4294967392"),
    (
        ANNOUNCE, f'{ANNOUNCE}preference = "prepend"\nprepend = 9\n', "prepend = 9",
        "prepend = 9: the worst announcement would repeat the AS 18 times, and 16 is the most",
    ),
    (
        ANNOUNCE, f'{ANNOUNCE}preference = "community"\n', 'preference = "community"',
        "preference: there are 0 communities for 2 ranks: the owner and 1 neighbours",
    ),
    (
        ANNOUNCE, f'{ANNOUNCE}preference = "community"\ncommunities = ["1:1"]\n', "communities",
        "communities: there are 1 communities for 2 ranks",
    ),
    (
        ANNOUNCE, f'{ANNOUNCE}preference = "community"\ncommunities = ["1:1", "1:1"]\n',
        "communities", "communities[1] = '1:1': it is that of another rank already",
    ),
    (ANNOUNCE, f'{ANNOUNCE}communities = ["1:65536"]\n', "communities", "is no community"),
    (ANNOUNCE, f"{ANNOUNCE}drain = 4\n", "drain = 4", "announce.drain = 4.0: must be at least 5"),
    (ANNOUNCE, f"{ANNOUNCE}ipv4_length = 7\n", "ipv4_length", "must be at least 8"),
    (
        ANNOUNCE, f"{ANNOUNCE}ipv4_length = 27\n", FIRST,
        "vips[0].ipv4 = '192.0.2.128': 192.0.2.128/27, which is announced for it, has the VIP "
        "192.0.2.144 in it",
    ),
    (
        ANNOUNCE, f'{ANNOUNCE}ipv4_length = 29\npreference = "specific"\n', FIRST,
        "192.0.2.128/27, which is announced for it, has the VIP 192.0.2.144 in it",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "at", "message"), WRONG)
def test_mistakes(tmp_path: Path, old: str, new: str, at: str, message: str) -> None:
    text = edited(old, new)
    (first,) = (line for line in told(tmp_path, text) if message in line)
    line = text.splitlines()[int(first.split(":")[0]) - 1]
    assert line.strip() == at.replace(old, new).strip() or at in line


def test_a_shorter_prefix_may_not_draw_what_is_another_sites(tmp_path: Path) -> None:
    specific = edited(ANNOUNCE, f'{ANNOUNCE}preference = "specific"\n') + SOUTH
    (error, _) = told(tmp_path, specific)
    assert "192.0.2.144/30, which is announced for it, has the VIP 192.0.2.146 in it" in error
    assert told(tmp_path, specific.replace("192.0.2.146", "192.0.2.148")) == []
    (error, _) = told(tmp_path, specific.replace("192.0.2.9", "192.0.2.145").replace(".146", ".8"))
    assert "has the server 192.0.2.145 in it" in error


WARNINGS = [
    ("neighbours = 1", "neighbours = 2", "'north' has 2 servers: 1 at most can be neighbours"),
    ("neighbours = 1", "neighbours = 0", "nobody takes over the VIPs of 'north': it has no neigh"),
    (_server(2) + SECOND, "", "nobody takes over the VIPs of 'north': it has one server"),
    (ANNOUNCE, f'{ANNOUNCE}communities = ["1:1"]\n', "with preference = 'med' no community is"),
    (
        SECOND, f'ipv6 = ["2001:db8::2"]\n{SECOND}',
        "server[1].vips: 'n2' has an IPv6 address and no VIP with one",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WARNINGS)
def test_warnings(tmp_path: Path, old: str, new: str, message: str) -> None:
    warning, remedy = told(tmp_path, edited(old, new))
    assert message in warning
    assert ": warning: " in warning
    assert remedy.startswith("    ")


def test_a_site_that_announces_without_vips_is_warned_of(tmp_path: Path) -> None:
    warning, _ = told(tmp_path, GOOD.replace(FIRST, "").replace(SECOND, ""))
    assert "site[0].announce: no server of 'north' has a VIP to announce" in warning


def test_two_neighbours_are_no_mistake_in_a_site_of_two_that_asks_for_none(tmp_path: Path) -> None:
    assert told(tmp_path, edited(ANNOUNCE, "")) == []
