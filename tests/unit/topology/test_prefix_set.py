from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.topology.prefix_set import Prefix, PrefixSet, record_of, text_of


def masked(address: int, length: int, bits: int) -> int:
    return address >> (bits - length) << (bits - length)


V4 = st.builds(
    lambda address, length: ipaddress.IPv4Network((masked(address, length, 32), length)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
V6 = st.builds(
    lambda address, length: ipaddress.IPv6Network((masked(address, length, 128), length)),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)
PREFIXES = st.lists(st.one_of(V4, V6), max_size=40)


def in_order(prefixes: Iterable[Prefix]) -> list[Prefix]:
    return sorted(
        set(prefixes), key=lambda one: (one.version, int(one.network_address), one.prefixlen)
    )


@given(PREFIXES)
def test_a_set_has_each_prefix_once_and_in_order(prefixes: list[Prefix]) -> None:
    compact = PrefixSet.of(prefixes)
    assert list(compact) == in_order(prefixes)
    assert len(compact) == len(set(prefixes))
    assert compact == PrefixSet.of(reversed([str(one) for one in prefixes]))
    pairs = [*compact.pairs_v4(), *compact.pairs_v6()]
    assert pairs == [(int(one.network_address), one.prefixlen) for one in in_order(prefixes)]
    assert [text_of(record) for record in compact.records()] == [
        str(one) for one in in_order(prefixes)
    ]


@given(st.one_of(V4, V6))
def test_a_record_is_written_as_it_was_read(prefix: Prefix) -> None:
    assert text_of(record_of(str(prefix))) == str(prefix)


@given(st.one_of(st.text(), st.from_regex(r"[0-9a-f.:]{0,20}/?[0-9]{0,3}", fullmatch=True)))
def test_a_text_is_a_prefix_where_the_standard_library_says_so(text: str) -> None:
    try:
        expected = ipaddress.ip_network(text)
    except ValueError:
        with pytest.raises(ValueError, match=r": write "):
            record_of(text)
    else:
        assert text_of(record_of(text)) == str(expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("192.0.2.1/24", "has bits beyond its length: write 192.0.2.0/24, or a longer one"),
        ("2001:db8::1/32", "has bits beyond its length: write 2001:db8::/32, or a longer one"),
        ("192.0.2.0/33", "/33 is longer than an address: write a length from 0 to 32"),
        ("::/129", "/129 is longer than an address: write a length from 0 to 128"),
        ("192.0.2", "'192.0.2' is not a prefix: write 192.0.2.0/24 or 2001:db8::/32"),
        ("192.0.2.0/24/", "'192.0.2.0/24/' is not a prefix: write"),
        ("fe80::1%eth0", "'fe80::1%eth0' is not a prefix: write"),
        ("x" * 100, f"'{'x' * 64}…' is not a prefix: write"),
    ],
)
def test_what_is_no_prefix_is_refused_with_a_remedy(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        record_of(text)
    assert str(raised.value).startswith(told)


def test_an_address_is_a_prefix_of_full_length() -> None:
    assert [str(one) for one in PrefixSet.of(["192.0.2.1", "2001:db8::1"])] == [
        "192.0.2.1/32",
        "2001:db8::1/128",
    ]
