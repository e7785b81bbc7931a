"""A log that nobody reads holds nobody up, and says afterwards what it lost."""

from __future__ import annotations

import os
import re
import select

from headrace.telemetry.queued_stream import QueuedStream
from tests.harness.polling import eventually

LINE = "x" * 999 + "\n"
LIMIT_BYTES = 200_000


def lost(number: int) -> str:
    return f"lost {number}\n"


def drained(reader: int) -> bytes:
    """All that comes until there has been nothing for a while."""
    found = b""
    while select.select([reader], [], [], 0.5)[0]:
        part = os.read(reader, 65536)
        if not part:
            break
        found += part
    return found


def test_lines_come_out_in_their_order() -> None:
    reader, writer = os.pipe()
    stream = QueuedStream(writer, lost)
    for number in range(500):
        stream.write(f"{number}\n")
    stream.end()
    os.close(writer)
    assert drained(reader) == b"".join(b"%d\n" % number for number in range(500))
    os.close(reader)


def test_a_reader_that_hangs_costs_a_bounded_queue_and_hears_of_what_was_lost() -> None:
    reader, writer = os.pipe()
    stream = QueuedStream(writer, lost, limit_bytes=LIMIT_BYTES)
    for _ in range(2000):
        stream.write(LINE)
    assert 1500 < stream.dropped < 2000
    text = drained(reader)
    kept = text.count(LINE.encode())
    # In one line or in several: the thread may have written while lines were still lost.
    assert sum(map(int, re.findall(rb"lost (\d+)\n", text))) == 2000 - kept
    assert kept + stream.dropped == 2000
    stream.write("again\n")
    assert drained(reader) == b"again\n"
    stream.end()
    os.close(writer)
    os.close(reader)


def test_its_end_does_not_wait_for_a_reader_that_hangs() -> None:
    reader, writer = os.pipe()
    stream = QueuedStream(writer, lost)
    for _ in range(500):
        stream.write(LINE)
    stream.end(0.1)
    drained(reader)
    os.close(reader)


def test_a_reader_that_went_away_and_a_full_disk_are_drops() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    gone = QueuedStream(writer, lost)
    gone.write("x\n")
    full = QueuedStream(os.open("/dev/full", os.O_WRONLY), lost)
    full.write("x\n")
    eventually(lambda: (gone.dropped, full.dropped) == (1, 1), "both are counted")


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    stream = QueuedStream(writer, lost)
    for _ in range(500):
        stream.write(LINE)
    assert drained(reader) == LINE.encode() * 500
    stream.end()
    os.close(writer)
    os.close(reader)
