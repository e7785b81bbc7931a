"""Reports of load: what is taken, and what is refused for which reason."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.telemetry.load_report import (
    LARGEST_BYTES,
    MOST_NAMES,
    MOST_PAIRS,
    MOST_SHARDS,
    Asked,
    Fault,
    Flow,
    LoadReport,
    Players,
    Quantiles,
    ReportError,
    decode_report,
    encode_report,
)

BPS = st.floats(0, 1e15)
PER_S = st.floats(0, 1e9)
NAMES = st.text(min_size=1, max_size=64)
FLOWS = st.builds(Flow, BPS, PER_S)
SECONDS = st.floats(0, 86_400)
PLAYERS = st.integers(0, 1000).flatmap(
    lambda count: st.builds(Players, st.just(count), st.integers(0, count), st.none() | BPS)
)
REPORTS = st.builds(
    LoadReport,
    node=NAMES,
    role=st.sampled_from(["edge", "router"]),
    interval_s=st.floats(0.001, 3600),
    age_s=SECONDS,
    egress_bps=BPS,
    capacity_bps=st.none() | BPS,
    cpu=st.floats(0, 1),
    connections=st.integers(0, 2**53),
    first_byte=st.none() | st.builds(Quantiles, SECONDS, SECONDS, SECONDS),
    flows=st.dictionaries(NAMES, st.dictionaries(NAMES, FLOWS, max_size=3), max_size=3),
    shards=st.dictionaries(
        NAMES, st.dictionaries(st.text(max_size=512), st.floats(0, 0.25), max_size=4), max_size=3
    ),
    players=st.dictionaries(NAMES, PLAYERS, max_size=3),
    siblings=st.dictionaries(
        NAMES, st.builds(Asked, st.integers(0, 2**53), st.integers(0, 2**53)), max_size=3
    ),
)


def document(**fields: object) -> bytes:
    return msgspec.json.encode({"node": "a", "role": "edge", "interval_s": 1, **fields})


@given(REPORTS)
def test_what_is_written_is_read_as_it_was(report: LoadReport) -> None:
    assert decode_report(encode_report(report), node=report.node) == report


@given(st.binary(max_size=2000))
def test_no_bytes_do_anything_but_refuse(data: bytes) -> None:
    with pytest.raises(ReportError):
        decode_report(data)


@given(REPORTS, st.data())
def test_a_damaged_report_is_taken_within_bounds_or_refused(
    report: LoadReport, data: st.DataObject
) -> None:
    whole = bytearray(encode_report(report))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=8))
    try:
        found = decode_report(whole)
    except ReportError:
        return
    assert 0 <= found.egress_bps <= 1e15
    assert 0 <= found.cpu <= 1
    assert all(flow.bps >= 0 for one in found.flows.values() for flow in one.values())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"", Fault.MALFORMED),
        (b"[]", Fault.INVALID),
        (b'{"node":"a","role":"edge","interval_s":1,"egress_bps":NaN}', Fault.MALFORMED),
        (b'{"node":"a","role":"edge","interval_s":1,"egress_bps":Infinity}', Fault.MALFORMED),
        (b'{"node":"a","role":"edge","interval_s":1,"egress_bps":1e999}', Fault.EXCESSIVE),
        (b'{"node":"a","role":"edge","interval_s":1,"x":' + b"[" * 100_000, Fault.MALFORMED),
        (b'{"node":"\xff","role":"edge","interval_s":1}', Fault.MALFORMED),
        (b" " * (LARGEST_BYTES + 1), Fault.TOO_LARGE),
        (document(egress_bps=-1), Fault.NEGATIVE),
        (document(connections=-1), Fault.NEGATIVE),
        (document(interval_s=0), Fault.NEGATIVE),
        (document(egress_bps=1e16), Fault.EXCESSIVE),
        (document(cpu=1.1), Fault.EXCESSIVE),
        (document(connections=2**60), Fault.EXCESSIVE),
        (document(node="n" * 65), Fault.EXCESSIVE),
        (document(node=""), Fault.INVALID),
        (document(role="boss"), Fault.INVALID),
        (document(cpu=True), Fault.INVALID),
        (document(egress_bps="1"), Fault.INVALID),
        (document(flows={"x": {"y": [1, -1]}}), Fault.NEGATIVE),
        (document(flows={"x": {"y": [1]}}), Fault.INVALID),
        (document(flows={str(n): {} for n in range(MOST_NAMES + 1)}), Fault.EXCESSIVE),
        (
            document(
                flows={
                    str(n): {str(m): [1, 1] for m in range(MOST_PAIRS // 100)} for n in range(110)
                }
            ),
            Fault.EXCESSIVE,
        ),
        (document(shards={"x": {"s" * 513: 0.1}}), Fault.EXCESSIVE),
        (document(shards={"x": {"one": 0.9, "other": 0.9}}), Fault.EXCESSIVE),
        (
            document(
                shards={str(n): {str(m): 0 for m in range(MOST_SHARDS // 2)} for n in range(3)}
            ),
            Fault.EXCESSIVE,
        ),
        (document(players={"x": {"reports": 1, "starved": 2}}), Fault.INVALID),
    ],
)
def test_nonsense_is_refused_by_its_kind(text: bytes, kind: Fault) -> None:
    with pytest.raises(ReportError) as refused:
        decode_report(text)
    assert refused.value.kind is kind


def test_a_report_of_another_node_and_an_old_one_are_refused() -> None:
    with pytest.raises(ReportError) as refused:
        decode_report(document(), node="b")
    assert refused.value.kind is Fault.OTHER_NODE
    with pytest.raises(ReportError) as refused:
        decode_report(document(age_s=11), node="a", oldest_s=10)
    assert refused.value.kind is Fault.OLD
    assert decode_report(document(age_s=9), node="a", oldest_s=10).age_s == 9


def test_fields_that_are_not_known_here_are_left_aside() -> None:
    assert decode_report(document(added_later=[1, 2])).node == "a"
