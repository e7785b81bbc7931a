"""Any document is refused with a message or built, whatever stands in it."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.config.problems import ConfigError
from headrace.topology.build import load_description
from headrace.topology.model import SiteKind
from headrace.topology.tree import tree
from tests.harness.toml import to_toml

NAMES = st.sampled_from(["a", "b", "c", "", "d e", "x" * 65])
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 3),
        st.floats(-1e300, 1e300).map(lambda number: round(number, 2)),
        NAMES,
        st.text(max_size=8),
        st.sampled_from(
            ["10Gbps", "2001:db8::/32", "192.0.2.0/24", "edge", "mid", "*", "{x}", "/*"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)


GOOD = tomllib.loads(
    (Path(__file__).parents[3] / "docs/examples/network.toml").read_text(encoding="utf-8")
)
GOOD["site"][0]["announce"] = {"preference": "specific", "communities": ["1:1"], "neighbours": 1}
GOOD["server"][0]["vips"] = [{"ipv4": "192.0.2.16", "ipv6": "2001:db8::8"}, {"ipv4": "192.0.2.24"}]
GOOD["server"][1]["vips"] = [{"ipv4": "192.0.2.32", "ipv6": "2001:db8::10"}]
VALUES = st.one_of(
    ANYTHING,
    st.sampled_from(
        [
            "oslo",
            "rome",
            "frankfurt",
            "elsewhere",
            "oslo1",
            "northern-telecom",
            "others",
            ["frankfurt"],
            ["192.0.2.0/24", "192.0.2.0/25"],
            "good.prefixes",
            "bad.prefixes",
            "none",
            "mid",
            "edge",
            "external",
            "withdrawn",
            "draining",
            "online",
            "https://x.example",
            True,
            False,
            0,
            1,
            80,
            443,
            1.5,
            "1Gbps",
            "10s",
            "(.*)*",
            "/(?P<x>.)",
            "{x}",
            "{path}",
            {"above": 0.5},
            ["oslo1.cdn.example.org"],
            [{"name": "oslo"}],
            "192.0.2.16",
            "198.51.100.1",
            "2001:db8::8",
            [{"ipv4": "192.0.2.17"}],
            "med",
            "prepend",
            "community",
            31,
        ]
    ),
)  # fmt: skip
KEYS = st.sampled_from(
    ["name", "kind", "network", "networks", "parents", "prefixes", "prefix_file", "default",
     "state", "external", "shard_key", "shard_pattern", "http_port", "https_port", "peer_port",
     "capacity", "storage", "ttl", "widening", "sites", "weight", "order", "site", "ipv4", "ipv6",
     "vips", "announce", "neighbours", "preference", "communities", "ipv4_length", "x"]
)  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return the example, with some of its values replaced, left out or put elsewhere."""
    document = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(0, 4))):
        table = draw(st.sampled_from(list(tables_of(document))))
        key = draw(st.one_of(KEYS, st.sampled_from(sorted(table) or ["x"])))
        if draw(st.integers(0, 3)) == 0:
            table.pop(key, None)
        elif isinstance(table.get(key), list) and draw(st.booleans()):
            table[key] = draw(st.permutations([*table[key], *table[key][:1]]))[1:]
        else:
            table[key] = copy.deepcopy(draw(VALUES))
    return document


def tables_of(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from tables_of(inner)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("descriptions")
    (directory / "good.prefixes").write_text("198.51.100.0/24\n192.0.2.0/24\n")
    (directory / "bad.prefixes").write_text("x\n")
    return directory / "network.toml"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(document=documents())
def test_a_document_is_refused_or_built(place: Path, document: dict[str, Any]) -> None:
    place.write_text(to_toml(document), encoding="utf-8")
    try:
        description = load_description(place)
    except ConfigError as error:
        assert error.problems
        assert all(problem.message and problem.remedy for problem in error.problems)
        return
    topology = description.topology
    sites = {site.name: site for site in topology.sites}
    assert all(server.site in sites for server in topology.servers)
    assert all(sites[choice.site].kind is not SiteKind.MID
               for coverage in topology.coverage for choice in coverage.sites)  # fmt: skip
    assert all(sites[name].kind is SiteKind.MID for site in sites.values() for name in site.parents)
    assert list(tree(topology))


@given(
    text=st.one_of(st.text(max_size=80), st.from_regex(r"(\[+[ab.]{1,3}\]+\n|a *= *.{0,9}\n){0,5}"))
)
def test_a_text_is_refused(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(ConfigError):
        load_description(place)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "9" * 5000,
        "a = 0x" + "f" * 5000,
        "a = 9223372036854775808",
        "a = " + "[" * 5000 + "]" * 5000,
        "a = " + "[" * 40 + "]" * 40,
        "a = " + "{b = " * 2000 + "1" + "}" * 2000,
        "[" + ".".join("a" * 3000) + "]",
        ".".join("a" * 5000) + " = 1",
    ],
)
def test_what_is_too_long_or_too_deep_is_no_toml(place: Path, text: str) -> None:
    place.write_text(text)
    with pytest.raises(ConfigError, match="a number beyond 64 bits, or tables or arrays nested"):
        load_description(place)


def test_a_text_of_thousands_of_digits_is_no_quantity(place: Path) -> None:
    digits = "9" * 5000
    place.write_text(
        f'[[server]]\nname = "a"\nsite = "b"\nhost = "c"\ncapacity = "{digits}.5Tbps"\n'
        f'storage = "{digits}.5TB"\n[[class]]\nname = "c"\nttl = "{digits}d"\n'
    )
    with pytest.raises(ConfigError) as raised:
        load_description(place)
    text = str(raised.value)
    assert all(f"not a {what}" in text for what in ("bit rate", "size", "duration"))
