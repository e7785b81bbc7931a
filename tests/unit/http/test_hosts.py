"""Host patterns: read, matched, and looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.hosts import (
    HostTable,
    host_matches,
    host_of,
    is_host_name,
    normalise_host_pattern,
)

LABELS = st.sampled_from(["a", "b", "xn--c", "example"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.one_of(
    NAMES, NAMES.map(lambda name: "*." + name), st.sampled_from(["*", "[2001:db8::1]", "[::1]"])
)
AUTHORITIES = st.builds(
    lambda host, port: (host + port).encode(),
    st.one_of(NAMES, st.sampled_from(["[2001:db8::1]", "[::1]", "192.0.2.1"])),
    st.sampled_from(["", ":8080"]),
)


@pytest.mark.parametrize(
    ("authority", "host"),
    [(b"a:1", b"a"), (b"[::1]:80", b"[::1]"), (b"[::1]", b"[::1]"), (b"a", b"a"), (b"", b"")],
)
def test_a_port_is_no_part_of_the_host(authority: bytes, host: bytes) -> None:
    assert host_of(authority) == host


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        (b"a.example", b"a.example", True),
        (b"a.example", b"b.a.example", False),
        (b"*.example", b"a.example", True),
        (b"*.example", b"b.a.example", True),
        (b"*.example", b"example", False),
        (b"*.example", b"a.counterexample", False),
        (b"*", b"a.example", True),
        (b"*", b"[::1]", True),
        (b"[::1]", b"[::1]", True),
        (b"[::1]", b"[::2]", False),
    ],
)
def test_a_pattern_means_hosts(pattern: bytes, host: bytes, matches: bool) -> None:
    assert host_matches(pattern, host) is matches


@given(st.lists(PATTERNS, unique=True, max_size=6), AUTHORITIES)
def test_a_table_finds_the_most_exact_pattern_that_matches(
    patterns: list[str], authority: bytes
) -> None:
    table = HostTable((pattern.encode(), pattern) for pattern in patterns)
    matching = [p for p in patterns if host_matches(p.encode(), host_of(authority))]
    # A name in full before any star, then the pattern with the longest name.
    best = max(matching, key=lambda p: ("*" not in p, len(p)), default=None)
    assert table.find(authority) == best


@given(PATTERNS)
def test_a_normalised_pattern_stays_as_it_is(pattern: str) -> None:
    once = normalise_host_pattern(pattern.upper())
    assert normalise_host_pattern(once) == once == once.lower()


@pytest.mark.parametrize(
    "text",
    ["", "[fe80::1%e]", "a.*.example", "*a.example", "**", "a:80", "http://a", "a/b", "[::g]",
     "a..b", "a.", "*.", "*.[::1]", "b\u00fccher.example", "a" * 64, ".".join(["a" * 60] * 5)],
)  # fmt: skip
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match=r"star|IPv6 address|host name|no scheme|no zone"):
        normalise_host_pattern(text)


@pytest.mark.parametrize(
    ("text", "is_one"), [("a.example", True), ("192.0.2.1", True), ("A", False), ("a.", False)]
)
def test_a_host_name(text: str, is_one: bool) -> None:
    assert is_host_name(text) is is_one
