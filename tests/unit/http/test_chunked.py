from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.chunked import LAST_CHUNK, BadChunking, ChunkedDecoder, chunk_head


def encoded(pieces: list[bytes], trailers: bytes = b"") -> bytes:
    chunks = b"".join(chunk_head(len(piece)) + piece + b"\r\n" for piece in pieces)
    return chunks + (b"0\r\n" + trailers + b"\r\n" if trailers else LAST_CHUNK)


def decoded(data: bytes, cuts: list[int]) -> tuple[bytes, bytes, bool]:
    decoder = ChunkedDecoder()
    found = []
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    rest = b""
    for start, end in itertools.pairwise(edges):
        if decoder.complete:
            rest += data[start:end]
        else:
            found += decoder.feed(data[start:end])
    return b"".join(found), decoder.rest + rest, decoder.complete


PIECES = st.lists(st.binary(min_size=1, max_size=50), max_size=8)
CUTS = st.lists(st.integers(0, 1000), max_size=12)


@given(PIECES, CUTS, st.binary(max_size=20))
def test_however_it_is_cut_the_body_is_the_same(
    pieces: list[bytes], cuts: list[int], rest: bytes
) -> None:
    assert decoded(encoded(pieces) + rest, cuts) == (b"".join(pieces), rest, True)


@given(PIECES, CUTS)
def test_a_body_without_its_end_is_not_complete(pieces: list[bytes], cuts: list[int]) -> None:
    data = encoded(pieces)[:-1]
    assert decoded(data, cuts)[2] is False


def test_trailers_are_kept() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(encoded([b"abc"], b"X-Sum: 1\r\n"))
    assert decoder.trailers == [(b"x-sum", b"1")]


def test_a_body_that_looks_like_an_end_is_no_end() -> None:
    body = b"\r\n0\r\n\r\n"
    assert decoded(encoded([body]), [3, 5, 9]) == (body, b"", True)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\nabc", b"zz\r\n", b"-1\r\na", b"0x3\r\nabc", b"fffffffffffffffff\r\n", b"3\nabc",
        b"3\r\nabcX", b" 3\r\nabc", b"3;a\nb\r\nabc", b"0\r\nX: a\r\n b\r\n\r\n",
    ],
)  # fmt: skip
def test_bad_chunks_are_refused(data: bytes) -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(BadChunking):
        decoder.feed(data + b"\r\n" * 2)


def test_endless_extensions_are_refused() -> None:
    decoder = ChunkedDecoder()
    chunk = b"1;" + b"x" * 5000 + b"\r\na\r\n"
    with pytest.raises(BadChunking):
        decoder.feed(chunk * 100)


def test_a_flood_of_trailers_is_refused() -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(BadChunking):
        decoder.feed(encoded([b"abc"], b"a:\r\n" * 101))


@given(st.binary(max_size=100))
def test_arbitrary_bytes_decode_or_are_refused(data: bytes) -> None:
    decoder = ChunkedDecoder()
    try:
        decoder.feed(data)
    except BadChunking as error:
        assert str(error)
