"""What players say of themselves: what is taken of it, whatever they send."""

from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.parser import HeadLimits, RequestHead, RequestParser
from headrace.telemetry.cmcd import (
    LONGEST_BYTES,
    MOST_KEYS,
    PlayerCounts,
    PlayerReport,
    cmcd_text,
    parse_cmcd,
    players_of,
)


def head(target: bytes, *lines: bytes) -> RequestHead:
    fields = b"".join(b"%s\r\n" % line for line in (b"Host: h", *lines))
    return RequestParser(HeadLimits()).parse(b"GET %s HTTP/1.1\r\n%s\r\n" % (target, fields))


@pytest.mark.parametrize(
    ("text", "report"),
    [
        (b"bs", PlayerReport(starved=True)),
        (b"br=3200,bs,d=4004,mtp=25400,ot=v", PlayerReport(True, 25_400_000)),
        (b'bl=21300,mtp=48100,sid="a,bs,mtp=1"', PlayerReport(False, 48_100_000, 21.3)),
        (b'sid="quo\\"te,bs", bl=0', PlayerReport(False, None, 0.0)),
        (b"bs=?0", PlayerReport()),
        (b"bs=?1,mtp=(48100;v 200;a)", PlayerReport(True, 48_100_000)),
        (b"mtp=-5", PlayerReport()),
        (b"mtp=1e9", PlayerReport()),
        (b"mtp=NaN,bl=Infinity", PlayerReport()),
        (b"mtp=999999999999", PlayerReport()),
        (b"mtp=9999999999999999999999999", PlayerReport()),
        (b"mtp=0", PlayerReport()),
        (b"bl=99999999", PlayerReport()),
        (b"", None),
        (b"\x00", None),
        (b'sid="open', None),
        (b",".join(b"k%d=1" % n for n in range(MOST_KEYS + 1)), None),
    ],
)
def test_three_things_are_taken_within_bounds(text: bytes, report: PlayerReport | None) -> None:
    assert parse_cmcd(text) == report


@given(st.binary(max_size=LONGEST_BYTES))
def test_nothing_that_is_sent_is_more_than_refused(text: bytes) -> None:
    found = parse_cmcd(text)
    if found is not None and found.throughput_bps is not None:
        assert 0 < found.throughput_bps <= 10**11
    counts = PlayerCounts()
    if found is not None:
        counts.add(found)
        assert counts.starved <= counts.reports == 1


def test_it_is_found_in_the_query_or_in_fields() -> None:
    said = b'bs,mtp=100,sid="x y"'
    quoted = quote_from_bytes(said).encode()
    assert cmcd_text(head(b"/a?x=1&CMCD=%s&y=2" % quoted)) == said
    assert cmcd_text(head(b"/a?CMCD=%s" % quoted)) == said
    found = cmcd_text(head(b"/a", b"CMCD-Request: mtp=100", b"cmcd-status: bs"))
    assert found == b"bs,mtp=100"
    assert cmcd_text(head(b"/a?NOTCMCD=bs")) is None
    assert cmcd_text(head(b"/a?CMCD=%s" % (b"b" * (LONGEST_BYTES + 1)))) is None
    assert cmcd_text(head(b"/a?CMCD=%s" % (b"%62" * 2000))) is None


def test_a_head_says_whether_there_may_be_any() -> None:
    assert head(b"/a?CMCD=bs").cmcd
    assert head(b"/a", b"CMCD-Status: bs").cmcd
    assert head(b"/a", b"cmcd-request: mtp=1").cmcd
    assert not head(b"/a?q=cmcd", b"X-Cmcd: bs").cmcd


@given(st.lists(st.integers(64, 10_000_000), min_size=1, max_size=60))
def test_the_throughput_of_half_of_the_players_is_right_within_a_fifth(kbps: list[int]) -> None:
    parts = [PlayerCounts(), PlayerCounts()]
    for number, one in enumerate(kbps):
        parts[number % 2].add(PlayerReport(throughput_bps=one * 1000))
    found = players_of(parts)
    assert found.reports == len(kbps)
    middle = sorted(kbps)[(len(kbps) - 1) // 2] * 1000
    assert found.throughput_bps is not None
    assert middle / 1.2 <= found.throughput_bps <= middle * 1.2


def test_players_that_say_no_throughput_have_none() -> None:
    counts = PlayerCounts()
    counts.add(PlayerReport(starved=True))
    assert players_of([counts]).throughput_bps is None
    assert players_of([counts]).starved == 1
