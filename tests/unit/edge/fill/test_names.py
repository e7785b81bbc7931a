from __future__ import annotations

from headrace.edge.fill.names import version_of
from headrace.http.message import Headers

STRONG = Headers([(b"etag", b'"a"')])
WEAK = Headers([(b"etag", b'W/"a"')])


def test_fetches_of_one_representation_agree_on_its_name() -> None:
    assert version_of(b"k", b"", STRONG, 1, 64) == version_of(b"k", b"", STRONG, 1, 64)


def test_a_purge_in_between_separates_them() -> None:
    assert version_of(b"k", b"", STRONG, 1, 64) != version_of(b"k", b"", STRONG, 2, 64)


def test_without_a_strong_tag_no_two_agree() -> None:
    assert version_of(b"k", b"", WEAK, 1, 64) != version_of(b"k", b"", WEAK, 1, 64)


def test_slices_of_another_size_are_others() -> None:
    assert version_of(b"k", b"", STRONG, 1, 64) != version_of(b"k", b"", STRONG, 1, 128)
