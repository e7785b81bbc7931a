"""Packets as ffmpeg writes them, and what is wrong with those that came."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.lab.drill.players.packets import Compared, Original, Packet, packet, time_bases

HEAD = ["#format: frame checksums", "#tb 0: 1/12800", "#media_type 0: video", "#tb 1: 1/32000"]
LOOP_S = 4
FRAME, SOUND = 512, 1024
PER_LOOP = {0: LOOP_S * 12800 // FRAME, 1: LOOP_S * 32000 // SOUND}


def line(one: Packet) -> str:
    return f"{one.stream}, {one.time:10}, {one.time:10}, {FRAME:8}, {one.size:8}, {one.md5}"


def played(loops: int) -> list[Packet]:
    """Everything, from the beginning of the first loop to the end of the last."""
    return [
        # The sound begins before zero, as with an encoder that needs a frame to get going.
        Packet(stream, number * step - (step if stream else 0), 100 + place, f"{stream}-{place}")
        for stream, step in ((0, FRAME), (1, SOUND))
        for number in range(loops * PER_LOOP[stream])
        for place in (number % PER_LOOP[stream],)
    ]


ORIGINAL = Original([*HEAD, *map(line, played(1))], LOOP_S)


def test_a_line_of_ffmpeg() -> None:
    said = "0,       1024,       2048,      512,     1383, 1b2f2ea3a5f4e2a1c3d4e5f60718293a"

    assert packet(said) == Packet(0, 1024, 1383, "1b2f2ea3a5f4e2a1c3d4e5f60718293a")


@pytest.mark.parametrize("said", ["", "#tb 0: 1/12800", "0, 1, 2", "a, 1, 2, 3, 4, b", "0,,,,,"])
def test_any_other_line(said: str) -> None:
    assert packet(said) is None


def test_units_of_time() -> None:
    said = [*HEAD, "#tb x: 1/2", "#tb 2: 1/0", "#tb 3: a"]

    assert time_bases(said) == {0: Fraction(1, 12800), 1: Fraction(1, 32000)}


def test_all_of_it_came() -> None:
    came = played(3)

    assert len(ORIGINAL) == sum(PER_LOOP.values())
    assert ORIGINAL.compare(came) == Compared(len(came), 0, 0)


def test_nothing_came() -> None:
    assert ORIGINAL.compare([]) == Compared(0, 0, 0)


@given(st.sets(st.integers(min_value=1, max_value=2 * PER_LOOP[0] - 2)))
def test_what_lacks_is_missing_unless_it_is_the_beginning_or_the_end(lacking: set[int]) -> None:
    video = [one for one in played(2) if one.stream == 0]
    came = [one for number, one in enumerate(video) if number not in lacking]

    assert ORIGINAL.compare(came) == Compared(len(came), len(lacking), 0)
    # A player that began later, or ended earlier, misses nothing.
    assert ORIGINAL.compare(video[10:-10]).missing == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda one: Packet(one.stream, one.time, one.size, "other"),
        lambda one: Packet(one.stream, one.time, one.size + 1, one.md5),
        lambda one: Packet(7, one.time, one.size, one.md5),
    ],
)
def test_other_bytes_are_damage(change: Callable[[Packet], Packet]) -> None:
    came = played(1)
    came.insert(50, change(came[50]))
    del came[51]

    assert ORIGINAL.compare(came).damaged == 1


def test_what_comes_twice_is_damage() -> None:
    came = played(1)

    assert ORIGINAL.compare([*came, came[3]]) == Compared(len(came) + 1, 0, 1)


def test_a_time_that_no_packet_has_is_damage() -> None:
    odd = Packet(0, 1, 100, "0-0")

    assert ORIGINAL.compare([*played(1), odd]).damaged == 1
