"""What holds of states whatever is observed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.feedback.control.controller import Controller, ControllerRules
from headrace.feedback.control.memory import NO_MEMORY, Memory
from headrace.feedback.observation import (
    NodeReport,
    Observations,
    Observer,
    Outcome,
    ProbeRecord,
    next_record,
)
from headrace.feedback.states.model import SERVING, State
from headrace.telemetry.load_report import Asked, LoadReport
from headrace.topology.model import Topology
from tests.unit.feedback.networks import OBSERVERS, RULES, WELL, Loop, network, observed

NET = network(sites=2, servers=3)
NAMES = [server.name for server in NET.servers]
BAD = [one for one in Outcome if one is not Outcome.OK]
OUTCOME = st.one_of(st.just(Outcome.OK), st.sampled_from(BAD))
LENIENT = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Of each step, what becomes of each server's probe.
HISTORY = st.lists(
    st.lists(OUTCOME, min_size=len(NAMES), max_size=len(NAMES)), min_size=1, max_size=15
)
COUNT = st.integers(0, 100)
LIE = st.builds(
    ProbeRecord,
    st.sampled_from(Outcome),
    st.floats(0, 10),
    COUNT,
    COUNT,
    COUNT,
    st.floats(0, 1),
)
LIES = st.lists(
    st.dictionaries(st.sampled_from([*NAMES, "stranger"]), LIE), min_size=15, max_size=15
)


class Probes:
    """The records of probes that all honest observers have."""

    def __init__(self) -> None:
        self.records = dict.fromkeys(NAMES, WELL)

    def see(self, outcomes: list[Outcome]) -> dict[str, ProbeRecord]:
        """Return the records after one more probe of each server."""
        for name, outcome in zip(NAMES, outcomes, strict=True):
            self.records[name] = next_record(self.records[name], outcome)
        return dict(self.records)


def of(records: Mapping[str, Mapping[str, ProbeRecord]]) -> Observations:
    """Return what observers say."""
    return Observations({name: Observer(name, 0.0, dict(one)) for name, one in records.items()})


def outcome_of(memory: Memory) -> dict[str, tuple[State, float, float, bool]]:
    """Return what was decided of each server."""
    return {
        name: (one.state, one.ramp, one.penalty, one.suppressed)
        for name, one in memory.states.servers.items()
    }


@LENIENT
@given(HISTORY, LIES, st.sampled_from(OBSERVERS))
def test_no_observer_changes_anything_while_the_others_agree(
    history: list[list[Outcome]], lies: list[dict[str, ProbeRecord]], liar: str
) -> None:
    honest, lied, probes = Loop(NET), Loop(NET), Probes()
    for outcomes, lie in zip(history, lies, strict=False):
        records = probes.see(outcomes)
        said = dict.fromkeys(OBSERVERS, records)
        honest.see(of(said))
        lied.see(of({**said, liar: lie}))
        assert outcome_of(lied.memory) == outcome_of(honest.memory)


@LENIENT
@given(HISTORY)
def test_never_the_last_server_and_never_below_the_floor(history: list[list[Outcome]]) -> None:
    loop, probes = Loop(NET, replace(RULES, floor=0.67, floor_dead=0.34, mass=1.0)), Probes()
    for outcomes in history:
        loop.see(of(dict.fromkeys(OBSERVERS, probes.see(outcomes))))
        for site in ("s0", "s1"):
            serving = sum(loop.state(f"{site}a{number}") in SERVING for number in range(3))
            assert serving >= 1


@LENIENT
@given(HISTORY)
def test_the_last_server_stays_without_any_floor(history: list[list[Outcome]]) -> None:
    net = network(sites=1, servers=len(NAMES))
    names = [server.name for server in net.servers]
    loop, probes = Loop(net, replace(RULES, floor=0.0, mass_least=1000)), Probes()
    for outcomes in history:
        records = dict(zip(names, probes.see(outcomes).values(), strict=True))
        step = loop.see(of(dict.fromkeys(OBSERVERS, records)))
        assert any(loop.state(name) in SERVING for name in names)
        assert len(step.view.servers) < len(names) or any(
            one.state.value == "online" for one in step.view.servers.values()
        )


@LENIENT
@given(HISTORY, st.randoms(use_true_random=False))
def test_the_order_of_what_is_told_is_of_no_matter(
    history: list[list[Outcome]], chance: random.Random
) -> None:
    plain, mixed, probes = Loop(NET), Loop(NET), Probes()

    def shuffled(table: Mapping[str, object]) -> dict[str, object]:
        names = list(table)
        chance.shuffle(names)
        return {name: table[name] for name in names}

    for outcomes in history:
        records = probes.see(outcomes)
        reports = {name: NodeReport(0.0, _complaining(name)) for name in NAMES}
        seen = replace(of(dict.fromkeys(OBSERVERS, records)), reports=reports)
        told = Observations(
            shuffled(  # type: ignore[arg-type]
                {name: Observer(name, 0.0, shuffled(records)) for name in OBSERVERS}  # type: ignore[arg-type]
            ),
            shuffled(reports),  # type: ignore[arg-type]
        )
        assert plain.see(seen).view == mixed.see(told).view
        assert plain.memory == mixed.memory


def _complaining(node: str) -> LoadReport:
    """Return the report of a node that two others do not help."""
    siblings = {name: Asked(10, 9) for name in NAMES[:2] if name != node}
    return LoadReport(node=node, role="edge", interval_s=1.0, siblings=siblings)


@LENIENT
@given(HISTORY, st.lists(st.floats(-5.0, 5.0), min_size=15, max_size=15), st.floats(0.0, 2.9))
def test_clocks_that_differ_change_nothing(
    history: list[list[Outcome]], skews: list[float], age_s: float
) -> None:
    """Neither a clock that is wrong, nor that what was probed is told later with its age."""
    controller = Controller(NET, ControllerRules(RULES))
    plain, skewed, probes = NO_MEMORY, NO_MEMORY, Probes()
    for second, (outcomes, skew) in enumerate(zip(history, skews, strict=False)):
        records = probes.see(outcomes)
        seen = of(dict.fromkeys(OBSERVERS, records))
        later = {
            name: Observer(name, age_s if name != "ob1" else 0.0, dict(records))
            for name in OBSERVERS
        }
        now = 1e6 + second
        one = controller.step(plain, seen, now, 1.0)
        other = controller.step(skewed, Observations(later), now + skew, 1.0)
        assert one.view == other.view
        plain, skewed = one.memory, other.memory
        assert plain.states == skewed.states


@settings(max_examples=10, deadline=None)
@given(st.integers(7, 30), st.integers(2, 30), st.sampled_from(BAD))
def test_a_server_that_flaps_for_ever_ends_up_suppressed(
    well_s: int, bad_s: int, outcome: Outcome
) -> None:
    rules = replace(RULES, slow=1)
    loop, record = Loop(NET, rules), WELL
    for _flap in range(5):
        for bad, seconds in ((False, well_s), (True, bad_s)):
            for _second in range(seconds):
                record = next_record(record, outcome if bad else Outcome.OK)
                loop.see(observed(NET, {"s0a0": record}))
    assert loop.memory.states.servers["s0a0"].suppressed
    for _second in range(20):
        record = next_record(record, Outcome.OK)
        loop.see(observed(NET, {"s0a0": record}))
        assert loop.state("s0a0") is State.FAILED


@LENIENT
@given(HISTORY, LIES)
def test_when_all_is_well_again_all_are_online(
    history: list[list[Outcome]], lies: list[dict[str, ProbeRecord]]
) -> None:
    rules = replace(RULES, half_life_s=10.0, longest_suppress_s=40.0, ramp_s=10.0)
    loop, probes = Loop(NET, rules), Probes()
    for outcomes, lie in zip(history, lies, strict=False):
        records = probes.see(outcomes)
        loop.see(of({"ob1": records, "ob2": lie, "ob3": records}))
    last = None
    for _second in range(60):
        records = probes.see([Outcome.OK] * len(NAMES))
        last = loop.see(of(dict.fromkeys(OBSERVERS, records)))
    assert loop.states() == {}
    assert last is not None
    assert last.view.servers == {}
    assert last.alarms == ()


@LENIENT
@given(
    st.lists(st.floats(0.0, 0.999), min_size=3, max_size=3),
    st.floats(0.0, 0.999),
    st.floats(0.0, 0.999),
    st.sampled_from([1, 3]),
)
def test_a_killed_server_is_out_within_three_seconds_at_any_phase(
    phases: list[float], tick: float, killed: float, observers: int
) -> None:
    """Each observer probes, tells the others and decides once a second, at phases of its own."""
    names = OBSERVERS[:observers]
    net: Topology = NET
    loop = Loop(net, replace(RULES, observers=names))
    told: dict[str, dict[str, ProbeRecord]] = {name: dict.fromkeys(NAMES, WELL) for name in names}
    records = dict.fromkeys(names, WELL)
    of_each = list(zip(names, phases, strict=False))
    probing = [(phase + n, 0, name) for n in range(8) for name, phase in of_each]
    telling = [((at + 0.5) % 1.0 + at // 1.0, 1, name) for at, _kind, name in probing]
    events = sorted([*probing, *telling, *((tick + n, 2, "") for n in range(8))])
    out_at = None
    for at, kind, name in events:
        if kind == 0:
            outcome = Outcome.REFUSED if at > 2.0 + killed else Outcome.OK
            records[name] = next_record(records[name], outcome)
            if name == names[0]:
                told[name]["s0a0"] = records[name]
        elif kind == 1:
            told[name]["s0a0"] = records[name]
        else:
            loop.see(of(told))
            if out_at is None and loop.state("s0a0") is State.FAILED:
                out_at = at
    assert out_at is not None
    assert out_at - (2.0 + killed) <= 3.0
