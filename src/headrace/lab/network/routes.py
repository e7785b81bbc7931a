"""Where each VIP's packets go, by what the ISPs' routers say."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from headrace.lab.network.bird import Best, read_routes, read_sessions, session_name
from headrace.lab.network.plan import Kind, LabPlan, Machine
from headrace.lab.network.programs import BIRD_SOCKET

_BIRDC_S = 2.0
NO_ROUTE = "-"


@dataclass(frozen=True, slots=True)
class AtRouter:
    """What an ISP's router says: its sessions by their names, and its routes to VIPs. `answers`:
    it says anything.
    """

    sessions: dict[str, str] = field(default_factory=dict)
    routes: dict[str, Best] = field(default_factory=dict)
    answers: bool = True


@dataclass(frozen=True, slots=True)
class Goes:
    """A VIP, its owner, and by which server its ISP's router reaches it; so many `others` wait."""

    vip: str
    owner: str
    router: str
    via: str
    others: int


def ask_routers(plan: LabPlan) -> dict[str, AtRouter]:
    """Return what the BIRD of each ISP says; nothing of one that does not answer."""
    return {one.name: _ask_router(plan.directory / one.name) for one in plan.of(Kind.ISP)}


def _ask_router(home: Path) -> AtRouter:
    sessions = _birdc(home, "show", "protocols")
    if not sessions:
        return AtRouter(answers=False)
    routes = _birdc(home, "show", "route", "where", "source = RTS_BGP")
    return AtRouter(read_sessions(sessions), {one.prefix: one for one in read_routes(routes)})


def _birdc(home: Path, *words: str) -> str:
    command = ["birdc", "-r", "-s", str(home / BIRD_SOCKET), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_BIRDC_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def goes(plan: LabPlan, routers: Mapping[str, AtRouter]) -> Iterator[Goes]:
    """Yield where each VIP goes. Pure."""
    for machine in plan.of(Kind.SERVER):
        router = routers.get(machine.isp, AtRouter())
        for vip in (address for pair in machine.vips for address in pair):
            best = best_route(router, vip)
            via = server_of(plan, best.session) if best else NO_ROUTE
            yield Goes(vip, machine.name, machine.isp, via, best.others if best else 0)


def settled(plan: LabPlan, routers: Mapping[str, AtRouter]) -> bool:
    """Return whether every VIP goes to its owner, and all neighbours announce it as well. Pure."""
    return all(
        one.via == one.owner and one.others >= _neighbours(plan, plan.machines[one.owner])
        for one in goes(plan, routers)
    )


def _neighbours(plan: LabPlan, owner: Machine) -> int:
    """Return how many announce a VIP as its owner does, with the same prefix."""
    announce = plan.site(owner.site).announce
    servers = sum(one.site == owner.site for one in plan.of(Kind.SERVER))
    return 0 if announce.preference == "specific" else min(announce.neighbours, servers - 1)


def best_route(router: AtRouter, vip: str) -> Best | None:
    """Return the route that a VIP's packets take: that to the longest prefix. Pure."""
    for length in range(128 if ":" in vip else 32, 0, -1):
        found = router.routes.get(str(ip_network(f"{vip}/{length}", strict=False)))
        if found is not None:
            return found
    return None


def server_of(plan: LabPlan, session: str) -> str:
    """Return the server that an ISP's router has a session with. Pure."""
    for machine in plan.of(Kind.SERVER):
        if session in (session_name(machine, 4), session_name(machine, 6)):
            return machine.name
    return session
