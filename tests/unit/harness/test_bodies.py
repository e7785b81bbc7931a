"""The computed bodies that every other proof rests on."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.bodies import BLOCK_BYTES, Body, Checker, WrongByte

SIZE = 3 * BLOCK_BYTES + 17


@given(start=st.integers(0, SIZE), length=st.integers(0, SIZE))
def test_any_part_of_a_body_is_the_same_as_that_part_of_the_whole(start: int, length: int) -> None:
    body = Body(7, SIZE)
    assert body.read(start, start + length) == body.read()[start : start + length]


def test_a_place_deep_inside_ten_gigabytes_is_known_without_the_rest() -> None:
    body = Body(1, 10 * 1024**3)
    start = 7 * 1024**3 + 5
    assert len(body.read(start, start + 100)) == 100


def test_bodies_of_different_seeds_differ() -> None:
    assert Body(1, 100).read() != Body(2, 100).read()


def test_the_blocks_of_a_body_differ_from_each_other() -> None:
    body = Body(1, 2 * BLOCK_BYTES)
    assert body.read(0, BLOCK_BYTES) != body.read(BLOCK_BYTES)


def test_the_hash_of_a_body_is_that_of_its_bytes() -> None:
    body = Body(3, SIZE)
    assert body.sha256(5, 200_000) == hashlib.sha256(body.read(5, 200_000)).hexdigest()


@given(cuts=st.lists(st.integers(0, SIZE), max_size=5))
def test_a_checker_accepts_the_right_bytes_however_they_are_cut(cuts: list[int]) -> None:
    body = Body(9, SIZE)
    checker = Checker(body)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), SIZE], strict=True):
        checker.feed(body.read(start, end))
    assert checker.position == SIZE


def test_a_checker_names_the_first_wrong_byte() -> None:
    body = Body(9, SIZE)
    data = bytearray(body.read())
    data[BLOCK_BYTES + 3] ^= 1
    with pytest.raises(WrongByte, match=f"byte {BLOCK_BYTES + 3} "):
        Checker(body).feed(bytes(data))


def test_a_checker_refuses_bytes_after_the_end() -> None:
    body = Body(9, 10)
    with pytest.raises(WrongByte, match="after the body's end"):
        Checker(body).feed(body.read() + b"x")
