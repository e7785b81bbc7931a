from __future__ import annotations

import json
from pathlib import Path

import pytest

from headrace.feedback.admin.models import AlarmRow, ServerRow
from headrace.lab.crowd import Crowd
from headrace.lab.observed import Observed
from headrace.lab.picture import names_of, state_of, weights_of
from headrace.lab.plan import CLOUD, SITES, Plan, make_plan
from headrace.lab.programs import Program
from tests.unit.lab.test_observed import a_status


def a_plan() -> Plan:
    ports = iter(range(40_000, 50_000))
    return make_plan(
        Path("/demo"), "127.0.0.1", 8080, lambda _host, _port: next(ports), lambda _text: None
    )


def programs_of(plan: Plan) -> dict[str, Program]:
    names = [node.name for node in (*plan.routers, *plan.observers)]
    names += [*(server.name for server in plan.servers), *plan.origins, CLOUD]
    return {name: Program(name, ["true"], "http://x", Path("/log")) for name in names}


PLAN = a_plan()
PROGRAMS = programs_of(PLAN)


def an_observed() -> Observed:
    return Observed(PLAN, "token", lambda: 0.0)


def a_crowd() -> Crowd:
    return Crowd(PLAN.router, lambda _url: "north")


def state(observed: Observed, now_s: float = 10.0) -> dict[str, object]:
    found = state_of(PLAN, PROGRAMS, observed, a_crowd(), now_s)
    json.dumps(found)
    return found


def test_a_site_stands_for_its_servers_and_a_name_for_itself() -> None:
    assert names_of("north", PROGRAMS) == SITES["north"]
    assert names_of("n2", PROGRAMS) == ("n2",)
    with pytest.raises(KeyError):
        names_of("nothing", PROGRAMS)


def test_all_is_shown_before_an_observer_has_answered() -> None:
    found = state(an_observed())
    assert found["loop"] == {"age_s": None, "decides": "", "frozen": False, "view": 0, "alarms": []}
    assert found["weights"] == {"north": 1.0}
    sites = found["sites"]
    assert isinstance(sites, list)
    assert [site["name"] for site in sites] == list(SITES)
    servers = [server for site in sites for server in site["servers"]]
    assert [server["name"] for server in servers] == [name for of in SITES.values() for name in of]
    assert not any(server["usable"] or server["runs"] for server in servers)


def test_what_was_said_of_sites_and_servers_is_shown() -> None:
    observed = an_observed()
    observed.status = a_status(
        servers=[
            ServerRow("n1", "north", "recovering", 5.0, 0.4, reasons=["a ramp"], used=0.3),
            ServerRow("n2", "north", "failed", 5.0, 0.0),
        ],
        alarms=[AlarmRow("blind", "", "nobody is seen")],
    )
    observed.status_at_s = 7.5
    observed.requests["n1"] = {"hit": 3.0}
    observed.chart.append((9.0, {"north": 5.0}))
    found = state(observed)
    assert found["loop"] == {
        "age_s": 2.5, "decides": "observer-a", "frozen": False, "view": 7,
        "alarms": ["nobody is seen"],
    }  # fmt: skip
    assert found["chart"] == [[1.0, {"north": 5.0}]]
    sites = found["sites"]
    assert isinstance(sites, list)
    north = sites[0]
    assert (north["egress_bps"], north["target_bps"]) == (90.0, pytest.approx(160.0))
    first, second = north["servers"]
    assert (first["usable"], first["weight"], first["requests"]) == (True, 0.4, {"hit": 3.0})
    assert (second["usable"], second["state"]) == (False, "failed")
    # What a site does not report is nothing, not unknown.
    assert sites[1]["egress_bps"] == 0.0


def test_weights_are_shares_of_the_clients_of_this_machine() -> None:
    status = a_status(coverage={"home": {"north": 3.0, "south": 1.0}, "other": {"south": 1.0}})
    assert weights_of(status) == {"north": 0.75, "south": 0.25}
    assert weights_of(a_status(coverage={"other": {"south": 1.0}})) == {"north": 1.0}
    assert weights_of(a_status(coverage={"home": {"north": 0.0}})) == {}
