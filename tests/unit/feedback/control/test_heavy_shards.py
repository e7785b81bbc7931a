"""What servers say of heavy shards is bounded by what they can send, and in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from headrace.feedback.control.heavy_shards import MOST_BYTES, HeavyShards, next_heavy_shards
from headrace.feedback.control.memory import Memory, decode_memory, encode_memory
from headrace.feedback.observation import NodeReport
from headrace.telemetry.load_report import MOST_BPS, Flow, LoadReport, decode_report, encode_report
from headrace.topology.model import ContentClass, Topology, Widening
from headrace.topology.view import View
from headrace.topology.view_codec import encode_view
from tests.unit.feedback.networks import network

WIDENED = replace(network(3, 10), classes=(ContentClass("video", widening=Widening()),))


def said(server: str, bps: float, shards: Mapping[str, float]) -> NodeReport:
    """Return a report as it comes from the wire."""
    report = LoadReport(
        node=server,
        role="edge",
        interval_s=1.0,
        flows={"all": {"video": Flow(bps, 1.0)}},
        shards={"video": dict(shards)},
    )
    return NodeReport(0.0, decode_report(encode_report(report)))


def after(
    reports: Mapping[str, NodeReport],
    minutes: int = 1,
    before: HeavyShards | None = None,
    topology: Topology = WIDENED,
) -> HeavyShards:
    heavy = HeavyShards() if before is None else before
    for _half in range(2 * minutes):
        heavy = next_heavy_shards(heavy, reports, topology, 10.0, 30.0)
    return heavy


def honest() -> dict[str, NodeReport]:
    return {one.name: said(one.name, 5e9, {"hot": 0.5}) for one in WIDENED.servers}


def test_one_server_that_claims_too_much_does_not_make_others_shards_light() -> None:
    before = after(honest())
    assert before.widths["video"]["hot"] == 10
    liar = said("s0a0", MOST_BPS, {f"none-{number}": 1 / 256 for number in range(256)})
    lied = after(honest() | {"s0a0": liar}, 10, before)
    assert lied.widths["video"]["hot"] == 10
    assert lied.demand["video"]["hot"] > 0.4


def test_names_of_shards_are_bounded_in_bytes_in_the_view_and_the_memory() -> None:
    heavy = HeavyShards()
    for turn in range(8):
        reports = {
            one.name: said(
                one.name,
                5e9,
                {
                    f"{turn}-{number}-{one.name}".ljust(512, "\x01"): 1 / 256
                    for number in range(256)
                },
            )
            for one in WIDENED.servers[:4]
        }
        heavy = after(reports, 1, heavy)
    assert heavy.demand
    memory = Memory(heavy=heavy)
    assert len(encode_memory(memory)) < 2.1 * MOST_BYTES
    assert decode_memory(encode_memory(memory)) == memory
    view = View(version=1, made_at=1.0, demand=heavy.demand, widths=heavy.widths)
    assert len(encode_view(view)) < 2.1 * MOST_BYTES


def test_what_is_kept_within_the_bound_is_what_weighs_most() -> None:
    names = {f"light-{number}".ljust(512, "\x01"): 0.5 / 255 for number in range(255)}
    reports = {one.name: said(one.name, 5e9, {**names, "~last": 0.5}) for one in WIDENED.servers}
    assert after(reports).demand["video"]["~last"] == 0.5
