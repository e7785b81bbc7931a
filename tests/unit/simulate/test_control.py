from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from headrace.feedback.observation import NodeReport
from headrace.feedback.orders import Mode
from headrace.feedback.states.model import AlarmKind, State
from headrace.simulate.build import engine_of
from headrace.simulate.control.loop import Loop
from headrace.simulate.control.reports import Reports
from headrace.simulate.engine import Result
from headrace.simulate.happenings import UnknownServer
from tests.harness.scenarios import a_network, a_scenario, loads_between, simulated

FAILURE = {"servers": ["n1"], "from": 200, "until": 400}


def steered(**tables: Any) -> tuple[Result, Loop]:
    """Return what came of a scenario under version 1, and the loop that steered it."""
    network = a_network(4)
    config = a_scenario(interval=1, **tables)
    loop = Loop(config, network, Mode.STATES)
    return engine_of(config, network, loop).run(), loop


def test_a_dead_server_gets_no_client_after_three_seconds() -> None:
    result, _loop = steered(failure=[FAILURE])
    failed = dict(zip(result.series.at_s, result.series.failed, strict=True))
    assert sum(of for at, of in failed.items() if 203 <= at < 600) <= _still_on_it(result)
    assert result.totals.failed < simulated(a_network(4), failure=[FAILURE]).totals.failed


def _still_on_it(result: Result) -> float:
    """Return how many requests came to it from clients who were there before: one each."""
    return max(result.series.viewers)


def test_a_server_that_is_back_returns_step_by_step() -> None:
    _result, loop = steered(failure=[FAILURE])
    states = [change.after for change in loop.changes if change.server == "n1"]
    assert states == [State.SUSPECT, State.FAILED, State.RECOVERING, State.ONLINE]
    back, online = (change.at for change in loop.changes[-2:])
    assert 400 < back < 410
    assert online - back >= 55


def test_servers_with_wrong_bytes_are_found_by_probes() -> None:
    _result, loop = steered(failure=[{**FAILURE, "how": "wrong"}])
    assert State.FAILED in [change.after for change in loop.changes if change.server == "n1"]


def test_what_an_operator_withdraws_is_withdrawn_for_the_controller_too() -> None:
    result, loop = steered(withdrawal=[{"servers": ["n1"], "from": 200, "until": 300}])
    changes = [change for change in loop.changes if change.server == "n1"]
    assert changes[0].after is State.WITHDRAWN
    assert State.FAILED not in [change.after for change in changes if change.at <= 300]
    assert changes[-1].after is State.ONLINE
    assert result.totals.failed <= max(result.series.viewers)


def test_one_bad_observer_of_three_removes_nobody() -> None:
    bad = {"count": 1, "from": 100}
    result, loop = steered(control={"mode": "states", "bad_observer": [bad]})
    assert loop.changes == []
    assert result.totals.failed == 0
    assert AlarmKind.UNSOUND_OBSERVER in {alarm.kind for _at, alarm in loop.alarms}


def changed_by(bad_observer: dict[str, Any], observers: int = 3) -> set[str]:
    """Return the servers of which the loop thought anything else than that they serve."""
    control = {"mode": "states", "observers": observers, "bad_observer": [bad_observer]}
    _result, loop = steered(control=control)
    return {change.server for change in loop.changes}


def test_observers_can_be_wrong_about_some_servers() -> None:
    assert changed_by({"servers": ["n1"], "from": 100}, observers=1) == {"n1"}


def test_a_quorum_that_is_wrong_removes_what_serves_and_one_of_three_does_not() -> None:
    assert changed_by({"servers": ["n1"], "count": 1, "from": 100}) == set()
    assert changed_by({"servers": ["n1"], "count": 2, "from": 100}) == {"n1"}


def test_a_bad_observer_has_seen_nothing_before_it_became_one() -> None:
    bad = {"servers": ["n1"], "from": 100}
    _result, loop = steered(control={"mode": "states", "observers": 1, "bad_observer": [bad]})
    failed = [change.at for change in loop.changes if change.after is State.FAILED]
    assert 101 < failed[0] < 110


def test_a_bad_observer_of_unknown_servers_is_refused() -> None:
    with pytest.raises(UnknownServer):
        changed_by({"servers": ["nobody"], "from": 100})


def test_reports_are_known_at_each_probe_until_the_next_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ages: list[float] = []
    known = Reports.known

    def noted(reports: Reports, now: float) -> Mapping[str, NodeReport]:
        found = known(reports, now)
        ages.extend(one.age_s for one in found.values())
        return found

    monkeypatch.setattr(Reports, "known", noted)
    network = a_network(4)
    config = a_scenario(interval=5, failure=[FAILURE])
    engine_of(config, network, Loop(config, network, Mode.STATES)).run()
    assert {round(age) for age in ages} >= {0, 1, 2, 3, 4}
    assert min(ages) >= 0


def test_clients_of_a_lost_site_are_served_by_the_next() -> None:
    result = simulated(
        interval=1,
        control={"mode": "states"},
        audience=[{"network": "isp-a", "viewers": 50}],
        failure=[{"site": "north", "from": 200, "until": 400}],
    )
    assert sum(loads_between(result, "south", 205, 400)) > 0
    assert result.moved.views > 1
