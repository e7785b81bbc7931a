"""What the demo's page shows of the network, as values for JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.feedback.admin.models import Status
from headrace.lab.crowd import MOST_VIEWERS, Crowd
from headrace.lab.observed import Observed
from headrace.lab.plan import CLOUD, SITES, Place, Plan, PlannedServer
from headrace.lab.programs import Program

SERVING = frozenset({"online", "suspect", "recovering"})
COVERAGE = "home"
"""Whose weights are shown: the clients of this machine."""


def names_of(name: str, programs: Mapping[str, Program]) -> tuple[str, ...]:
    """Return the programs of that name, or of the site of that name. Raises KeyError."""
    if name in SITES:
        return SITES[name]
    return (programs[name].name,)


def state_of(
    plan: Plan,
    programs: Mapping[str, Program],
    observed: Observed,
    crowd: Crowd,
    now_s: float,
) -> dict[str, Any]:
    """Return what the page shows, at a time of the clock that `observed` goes by."""

    def node(name: str, place: Place) -> dict[str, Any]:
        return {"name": name, "url": place.url, "runs": programs[name].runs}

    status = observed.status
    return {
        "router": plan.router.url,
        "routers": [node(router.name, router.place) for router in plan.routers],
        "sites": [
            {
                **_site(site, observed),
                "servers": [
                    {**node(server.name, server.place), **_server(server, observed)}
                    for server in plan.servers
                    if server.site == site
                ],
            }
            for site in SITES
        ],
        "cloud": {**node(CLOUD, plan.cloud), "egress_bps": crowd.bps.get(CLOUD, 0.0)},
        "origins": [node(name, place) for name, place in plan.origins.items()],
        "observers": [node(one.name, one.place) for one in plan.observers],
        "loop": _loop(status, now_s - observed.status_at_s),
        "weights": weights_of(status),
        "crowd": {
            "viewers": len(crowd),
            "wanted": crowd.wanted,
            "most": MOST_VIEWERS,
            "failed": crowd.failed,
            "bps": sum(crowd.bps.values()),
        },
        "chart": [[round(now_s - at_s, 1), loads] for at_s, loads in observed.chart],
        "changes": observed.events,
    }


def weights_of(status: Status | None) -> dict[str, float]:
    """Return by site what part of the clients of this machine goes there. The description has all
    of them at the first site.
    """
    weights = {} if status is None else status.coverage.get(COVERAGE, {})
    weights = weights or {next(iter(SITES)): 1.0}
    total = sum(weights.values())
    return {site: weight / total for site, weight in weights.items()} if total else {}


def _site(site: str, observed: Observed) -> dict[str, Any]:
    row = observed.site(site)
    if row is None:
        return {"name": site, "egress_bps": 0.0, "capacity_bps": 0.0, "target_bps": 0.0}
    return {
        "name": site,
        "egress_bps": row.egress_bps or 0.0,
        "capacity_bps": row.capacity_bps,
        "target_bps": row.capacity_bps * row.target,
    }


def _server(server: PlannedServer, observed: Observed) -> dict[str, Any]:
    row = observed.server(server.name)
    known = {"requests": observed.requests[server.name]}
    if row is None:
        return {**known, "state": "", "usable": False, "weight": 1.0, "reasons": [], "used": None}
    return {
        **known,
        "state": row.state,
        "usable": row.state in SERVING,
        "weight": row.weight,
        "reasons": row.reasons,
        "used": row.used,
    }


def _loop(status: Status | None, age_s: float) -> dict[str, Any]:
    """Return what the observers say of themselves. `age_s` says when an observer last answered."""
    if status is None:
        return {"age_s": None, "decides": "", "frozen": False, "view": 0, "alarms": []}
    return {
        "age_s": round(age_s, 1),
        "decides": status.decides,
        "frozen": status.frozen,
        "view": status.view,
        "alarms": [alarm.text for alarm in status.alarms],
    }
