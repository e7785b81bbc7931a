"""The page on running VIPs and the program name the same operations and metrics."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from headrace.node.admin.requests import known_names
from headrace.vip.admin.facts import COUNTERS, GAUGES, metrics
from headrace.vip.admin.operations import operations
from headrace.vip.admin.questions import Counts
from tests.harness.fake_node import FakeNode, FakeWorkers

MANUAL = (Path(__file__).parents[4] / "docs" / "vip" / "operating.md").read_text()


def test_the_table_has_every_operation_with_its_parameters() -> None:
    listed = set(re.findall(r"`((?:GET|POST) /vip/[^`]*)`", MANUAL))
    served = set()
    for one in operations(FakeNode(FakeWorkers(lambda _question: []))):
        names = [] if one.takes_body else known_names(one.request)
        query = f"?{'&'.join(names)}" if names else ""
        served.add(f"{one.method} {one.path}{query}")
    assert listed == served


def test_every_metric_has_its_row_and_its_count() -> None:
    fields = {one.name for one in msgspec.structs.fields(Counts)}
    assert set(GAUGES) | set(COUNTERS) | {"checks", "changes"} == fields
    named = set(re.findall(r"headrace_vip_[a-z_]+", MANUAL))
    assert {f"headrace_vip_{name}" for name, _meaning in GAUGES.values()} <= named
    assert {f"headrace_vip_{name}_total" for name, _meaning in COUNTERS.values()} <= named


def test_every_kind_of_check_and_change_is_counted_before_there_is_one() -> None:
    nothing = {one.name: 0 for one in msgspec.structs.fields(Counts)}
    shown = {
        one.name: one.value
        for one in metrics(
            msgspec.convert({**nothing, "checks": {}, "changes": {}}, Counts, strict=False)
        )
    }
    for what, kinds in {
        "checks": ("passed", "impaired", "doubtful", "failed"),
        "changes": ("announced", "withdrawn", "changed", "planned", "reason"),
    }.items():
        assert {kind: shown[f"vip_{what}_{kind}"] for kind in kinds} == dict.fromkeys(kinds, 0)
        assert f"headrace_vip_{what}_{kinds[0]}_total" in MANUAL
        assert all(f"…_{kind}_total" in MANUAL for kind in kinds[1:])
