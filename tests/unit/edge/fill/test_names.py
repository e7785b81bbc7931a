from __future__ import annotations

import os

from headrace.edge.fill.names import version_of
from headrace.http.message import Headers

STRONG = Headers([(b"etag", b'"a"')])
WEAK = Headers([(b"etag", b'W/"a"')])


def name(headers: Headers, generation: int, slice_bytes: int) -> bytes:
    return version_of(b"k", b"", headers, generation, slice_bytes, os.urandom)


def test_fills_of_one_representation_agree_on_its_name() -> None:
    assert name(STRONG, 1, 64) == name(STRONG, 1, 64)


def test_a_purge_in_between_separates_them() -> None:
    assert name(STRONG, 1, 64) != name(STRONG, 2, 64)


def test_without_a_strong_tag_no_two_agree() -> None:
    assert name(WEAK, 1, 64) != name(WEAK, 1, 64)


def test_slices_of_another_size_are_others() -> None:
    assert name(STRONG, 1, 64) != name(STRONG, 1, 128)
