from __future__ import annotations

from pathlib import Path

import pytest

from headrace.feedback.admin.models import ServerRow, SiteRow, Status
from headrace.lab.observed import CHART_S, EVERY_S, Observed, said_of
from headrace.lab.plan import CLOUD, make_plan


def an_observed(cloud_bps: float = 0.0) -> Observed:
    ports = iter(range(40_000, 50_000))
    plan = make_plan(
        Path("/demo"), "127.0.0.1", 8080, lambda _host, _port: next(ports), lambda _text: None
    )
    return Observed(plan, "token", lambda: cloud_bps)


def a_status(**fields: object) -> Status:
    values: dict[str, object] = {
        "observer": "observer-a", "decides": "observer-a", "awake": True, "mode": "both",
        "frozen": False, "frozen_because": "", "view": 7, "view_age_s": 0.5, "lateness_s": 0.0,
        "servers": [ServerRow("n1", "north", "online", 5.0, 1.0)],
        "sites": [
            SiteRow("north", "edge", 2, 2, 200.0, 0.8, egress_bps=90.0),
            SiteRow("south", "edge", 2, 0, 200.0, 0.8),
        ],
        "observers": [], "alarms": [], **fields,
    }  # fmt: skip
    return Status(**values)  # type: ignore[arg-type]


def test_before_anybody_said_something_nothing_is_known() -> None:
    observed = an_observed()
    assert observed.server("n1") is None
    assert observed.site("north") is None
    assert observed._loads() == {CLOUD: 0.0}


def test_servers_and_sites_are_found_by_name() -> None:
    observed = an_observed()
    observed.status = a_status()
    server, site = observed.server("n1"), observed.site("south")
    assert server is not None
    assert site is not None
    assert (server.state, site.serving) == ("online", 0)
    assert observed.server("other") is None


def test_loads_are_those_that_sites_report_and_what_came_from_the_cloud() -> None:
    observed = an_observed(cloud_bps=12.0)
    observed.status = a_status()
    assert observed._loads() == {"north": 90.0, CLOUD: 12.0}


def test_the_chart_has_two_minutes_at_most() -> None:
    assert an_observed().chart.maxlen == round(CHART_S / EVERY_S)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            {"server": "n1", "before": "online", "after": "failed", "reasons": ["probes", "rst"]},
            "n1: online → failed: probes, rst",
        ),
        ({"server": "n1", "before": "failed", "after": "recovering"}, "n1: failed → recovering"),
        ({"alarm": "blind", "raised": True, "text": "nobody is seen"}, "alarm: nobody is seen"),
        ({"alarm": "blind", "raised": False}, "no longer: blind"),
        ({}, "?: ? → ?"),
    ],
)
def test_events_are_said_in_words(event: dict[str, object], text: str) -> None:
    assert said_of(event) == text
