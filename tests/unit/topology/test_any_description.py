"""Any document is refused with a message or built, whatever stands in it."""

from __future__ import annotations

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


def table(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a table with these keys or without them, each mostly as it should be."""
    optional = {key: st.one_of(good, good, good, ANYTHING) for key, good in fields.items()}
    required = {"name": optional.pop("name")}
    return st.fixed_dictionaries(required, optional=optional)


PREFIXES = st.lists(
    st.sampled_from(["192.0.2.0/24", "192.0.2.0/25", "::/0", "2001:db8::/32", "10.0.0.1/8"]),
    max_size=3,
)
PREFIX_FILE = st.sampled_from(["good.prefixes", "bad.prefixes", "none.prefixes", ".", "a\x00b"])
SITES = st.lists(
    table(name=NAMES, weight=st.floats(0.1, 9), order=st.integers(1, 3)), min_size=1, max_size=3
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "network": st.lists(
            table(name=NAMES, prefixes=PREFIXES, prefix_file=PREFIX_FILE), max_size=3
        ),
        "site": st.lists(
            table(
                name=NAMES,
                kind=st.sampled_from(["edge", "mid", "external"]),
                network=NAMES,
                coordinates=st.just([1.5, 2.5]),
                parents=st.lists(NAMES, max_size=2),
                base_url=st.just("https://x.example"),
                capacity=st.sampled_from(["1Gbps", 10**9]),
            ),
            max_size=4,
        ),
        "server": st.lists(
            table(
                name=NAMES,
                site=NAMES,
                host=st.sampled_from(["a.example", "b.example", "[::1]"]),
                ipv4=st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2"]), max_size=2),
                ipv6=st.just(["::1"]),
                http_port=st.sampled_from([0, 80, 443]),
                state=st.sampled_from(["online", "draining", "withdrawn"]),
            ),
            max_size=4,
        ),
        "coverage": st.lists(
            table(
                name=NAMES,
                networks=st.lists(NAMES, max_size=2),
                prefixes=PREFIXES,
                prefix_file=PREFIX_FILE,
                default=st.booleans(),
                sites=SITES,
            ),
            max_size=3,
        ),
        "class": st.lists(
            table(
                name=NAMES,
                hosts=st.just(["*.example"]),
                paths=st.just(["/a/*"]),
                shard_pattern=st.sampled_from(["/(?P<x>[^/]+)/", "(.*)*", "("]),
                shard_key=st.sampled_from(["{x}", "{path}", "{"]),
                external=st.booleans(),
                widening=st.just({"above": 0.5}),
                ttl=st.sampled_from(["10s", 0, "1y"]),
            ),
            max_size=3,
        ),
        "x": ANYTHING,
    },
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("descriptions")
    (directory / "good.prefixes").write_text("198.51.100.0/24\n192.0.2.0/24\n")
    (directory / "bad.prefixes").write_text("x\n")
    return directory / "network.toml"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(document=DOCUMENTS)
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
