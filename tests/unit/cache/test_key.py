from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.key import KeyRules, UnusableUrl, cache_key, keys_for_url, prefix_for_url
from headrace.http.message import Headers, Request


def key(query: bytes | None, rules: KeyRules | None = None, host: bytes = b"h") -> bytes:
    request = Request(b"GET", b"", b"http", host, b"/a", query, (1, 1), Headers())
    return cache_key("s", request, rules or KeyRules())


@pytest.mark.parametrize(
    ("query", "rules", "expected"),
    [
        (None, KeyRules(), b"s\nh/a"),
        (b"b=2&a=1", KeyRules(), b"s\nh/a?a=1&b=2"),
        (b"b=2&a=1", KeyRules(sort=False), b"s\nh/a?b=2&a=1"),
        (b"a=2&a=1", KeyRules(), b"s\nh/a?a=2&a=1"),
        (b"a=1", KeyRules(query="drop"), b"s\nh/a"),
        (b"a=1&b=2", KeyRules(keep=frozenset([b"b"])), b"s\nh/a?b=2"),
        (b"a=1&b=2", KeyRules(drop=frozenset([b"b"])), b"s\nh/a?a=1"),
        (b"CMCD=br%3D1", KeyRules(), b"s\nh/a"),
        (b"a=1&cmcd=x", KeyRules(), b"s\nh/a?a=1"),
        (b"a=1", KeyRules(host=False), b"s\n/a?a=1"),
    ],
)
def test_keys(query: bytes | None, rules: KeyRules, expected: bytes) -> None:
    assert key(query, rules) == expected


PARAMETERS = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([b"1", b"2", b"%26"])),
    unique_by=lambda pair: pair[0],
)


@given(PARAMETERS)
def test_the_order_of_parameters_does_not_matter(
    parameters: list[tuple[bytes, bytes]],
) -> None:
    texts = [name + b"=" + value for name, value in parameters]
    assert key(b"&".join(texts)) == key(b"&".join(reversed(texts)))


@given(PARAMETERS, PARAMETERS)
def test_different_parameters_have_different_keys(
    one: list[tuple[bytes, bytes]], other: list[tuple[bytes, bytes]]
) -> None:
    keys = [key(b"&".join(name + b"=" + value for name, value in pairs)) for pairs in (one, other)]
    assert (keys[0] == keys[1]) == (sorted(one) == sorted(other))


def test_a_purge_names_the_key_that_requests_have() -> None:
    assert keys_for_url("s", "http://H:80/x/../a?b=2&a=1", KeyRules()) == [key(b"b=2&a=1")]


def test_a_prefix_begins_the_keys_below_it() -> None:
    assert key(b"x=1").startswith(prefix_for_url("s", "https://h/", KeyRules()))


@pytest.mark.parametrize("url", ["/a", "ftp://h/a", "h/a", "", "http://", "http://h/a b"])
def test_what_names_nothing_is_refused(url: str) -> None:
    with pytest.raises(UnusableUrl):
        keys_for_url("s", url, KeyRules())


def test_a_bare_path_will_do_where_hosts_are_one() -> None:
    assert keys_for_url("s", "/a", KeyRules(host=False)) == [b"s\n/a"]
