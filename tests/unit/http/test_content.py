"""What a path's ending says of the content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.http.content import MEDIA_TYPES, Content, content_of


def test_kinds_come_from_the_ending() -> None:
    paths = (b"/a.m3u8", b"/a.MPD", b"/x/seg.m4s", b"/k.key", b"/p.jpg", b"/c.vtt", b"/x.y/z", b"/")
    assert [content_of(path).kind for path in paths] == [
        "manifest", "manifest", "segment", "key", "image", "captions", "other", "other",
    ]  # fmt: skip


def test_media_types_come_from_the_ending() -> None:
    assert content_of(b"/a.m3u8").media_type == "application/vnd.apple.mpegurl"
    assert content_of(b"/a.m4a").media_type == "audio/mp4"
    assert content_of(b"/a").media_type == ""


def test_a_family_of_media_types_has_all_of_it() -> None:
    picture = Content("image", "image/png")
    for wanted in ("image", "image/png", "image/*"):
        assert picture.is_one_of(frozenset((wanted,)))
    for wanted in ("segment", "image/jpeg", "video/*", "other"):
        assert not picture.is_one_of(frozenset((wanted,)))


def test_what_is_not_known_is_of_no_family() -> None:
    assert not content_of(b"/x.unknown").is_one_of(frozenset(("/*", "*", "")))
    assert content_of(b"/x.unknown").is_one_of(frozenset(("other",)))


@given(st.binary(max_size=40))
def test_every_path_has_some_kind(path: bytes) -> None:
    assert content_of(path).kind in {*MEDIA_TYPES, "other"}
