"""Where an origin is, as it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.origin_url import OriginUrl, parse_origin_url, parse_port

URLS = st.builds(
    OriginUrl,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["a", "a.example", "192.0.2.1", "2001:db8::1", "::1"]),
    st.one_of(st.integers(1, 65535), st.sampled_from([80, 443])),
    st.sampled_from(["", "/bucket", "/a/b%20c"]),
)


@given(URLS)
def test_what_is_written_is_read_again(url: OriginUrl) -> None:
    assert parse_origin_url(str(url)) == url


@pytest.mark.parametrize(
    ("text", "authority", "prefix"),
    [
        ("http://A.example:80/", "a.example", ""),
        ("https://a.example:443", "a.example", ""),
        ("https://a.example:80/x/", "a.example:80", "/x"),
        ("http://[2001:DB8:0::1]:8080", "[2001:db8::1]:8080", ""),
    ],
)
def test_the_host_field_names_no_port_that_the_scheme_has(
    text: str, authority: str, prefix: str
) -> None:
    url = parse_origin_url(text)
    assert (url.authority, url.prefix) == (authority, prefix)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("ftp://a", "http://"), ("a.example", "http://"), ("http://", "host is missing"),
        ("http://u@a", "user name"), ("http://a?q", "query"), ("http://a/#f", "fragment"),
        ("http://a b", "blanks"), ("http://\u00e4", "ASCII"), ("http://a:0", "port"),
        ("http://a:65536", "port"), ("http://a:", "port"), ("http://[::1", "IPv6"),
        ("http://*.a", "host name"), ("http://[v1.x]", "IPv6"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        parse_origin_url(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", "\u0661", "0", "65536", "1.0"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(ValueError, match="not a port"):
        parse_port(text, 1)
