from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.target import BadTarget, normalise_path, normalise_target


def path_of(target: bytes) -> bytes:
    return normalise_target(target, b"h", b"http")[1]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a/b.m4s", b"/a/b.m4s"),
        (b"/", b"/"),
        (b"/a/../b", b"/b"),
        (b"/a/./b/.", b"/a/b/"),
        (b"/../../a", b"/a"),
        (b"/a/%2e%2E/b", b"/b"),
        (b"/%7Euser", b"/~user"),
        (b"/a%2fb", b"/a%2fb"),
        (b"/a%2Fb", b"/a%2Fb"),
        (b"/a//b", b"/a//b"),
        (b"/caf\xc3\xa9", b"/caf%C3%A9"),
        (b"/.well-known/x", b"/.well-known/x"),
        (b"/...", b"/..."),
    ],
)
def test_paths_have_one_spelling(target: bytes, path: bytes) -> None:
    assert path_of(target) == path


def test_a_query_is_kept_as_it_is() -> None:
    assert normalise_target(b"/a?b=%2f&c", b"h", b"http")[2] == b"b=%2f&c"


def test_an_empty_query_is_not_an_absent_one() -> None:
    queries = [normalise_target(target, b"h", b"http")[2] for target in (b"/a", b"/a?")]
    assert queries == [None, b""]


@pytest.mark.parametrize(
    ("host", "scheme", "authority"),
    [
        (b"Video.Example", b"http", b"video.example"),
        (b"video.example:80", b"http", b"video.example"),
        (b"video.example:443", b"https", b"video.example"),
        (b"video.example:8080", b"http", b"video.example:8080"),
        (b"video.example.", b"http", b"video.example"),
        (b"[::1]:8080", b"http", b"[::1]:8080"),
    ],
)
def test_hosts_have_one_spelling(host: bytes, scheme: bytes, authority: bytes) -> None:
    assert normalise_target(b"/", host, scheme)[0] == authority


@pytest.mark.parametrize("host", [b"h..", b".", b"..", b".h", b"a..b", b"h..:80"])
def test_a_host_with_an_empty_label_is_refused(host: bytes) -> None:
    with pytest.raises(BadTarget):
        normalise_target(b"/", host, b"http")


def test_an_absolute_target_must_agree_with_host() -> None:
    assert normalise_target(b"http://H/x", b"h:80", b"http") == (b"h", b"/x", None)
    with pytest.raises(BadTarget):
        normalise_target(b"http://other/x", b"h", b"http")


@pytest.mark.parametrize(
    "target",
    [
        b"x", b"", b"h:80", b"/a b", b"/a\x01", b"/a\\b", b"/a%00", b"/a%5c", b"/a%", b"/a%zz",
        b"/a#b", b"/a?b c", b"https://h/", b"http://u@h/", b"ftp://h/",
    ],
)  # fmt: skip
def test_what_is_no_target_is_refused(target: bytes) -> None:
    with pytest.raises(BadTarget):
        normalise_target(target, b"h", b"http")


@pytest.mark.parametrize("host", [b"a/b", b"a@b", b"a b", b"a,b", b"a:99999", b"a:x", b":80"])
def test_what_is_no_host_is_refused(host: bytes) -> None:
    if host == b"a,b":
        host = b"a, b"
    with pytest.raises(BadTarget):
        normalise_target(b"/", host, b"http")


PATHS = st.lists(
    st.sampled_from([b"a", b".", b"..", b"%2e", b"%41", b"%2F", b"/", b"\xc3\xa9", b"~", b"%25"])
).map(lambda parts: b"/" + b"".join(parts))


@given(PATHS)
def test_normalising_twice_changes_nothing(path: bytes) -> None:
    once = normalise_path(path)
    assert normalise_path(once) == once


@given(PATHS)
def test_no_path_climbs_or_keeps_dots(path: bytes) -> None:
    segments = normalise_path(path).split(b"/")
    assert (segments[0], b"." in segments, b".." in segments) == (b"", False, False)


@given(st.binary(max_size=60))
def test_any_target_is_read_or_refused(target: bytes) -> None:
    try:
        _authority, path, _query = normalise_target(target, b"h", b"http")
    except BadTarget as error:
        assert error.status == 400
    else:
        assert path == b"*" or path.startswith(b"/")


def test_a_host_is_no_longer_than_a_name_may_be() -> None:
    longest = b"h" * 255
    assert normalise_target(b"/", longest + b".:8080", b"http")[0] == longest + b":8080"
    for host in (b"h" * 263, b"h" * 22_000, b"[" + b"1:" * 200 + b"]"):
        with pytest.raises(BadTarget) as refused:
            normalise_target(b"/", host, b"http")
        assert refused.value.status == 400
