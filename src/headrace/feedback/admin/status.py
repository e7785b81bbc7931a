"""The loop's state as rows for operators."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from headrace.feedback.admin.models import AlarmRow, ObserverRow, ServerRow, SiteRow, Status
from headrace.feedback.admin.order_rows import in_words
from headrace.feedback.loop import FeedbackLoop
from headrace.feedback.observation import Observations
from headrace.feedback.orders import overruled, wish_in_force
from headrace.feedback.states.meanings import REMEDIES
from headrace.feedback.states.model import SERVING, Alarm, ServerRecord, State, States
from headrace.feedback.states.ramp import offered
from headrace.topology.model import AdminState, Server, Site
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View

MOST_OVERRULED = 20
_ONLINE = frozenset({ServerState.ONLINE, ServerState.FULL})
_OUT = frozenset({ServerState.FAILED})
_AS_SEEN: Mapping[State, frozenset[ServerState]] = {
    State.DRAINING: frozenset({ServerState.DRAINING}),
    State.FAILED: _OUT,
    State.WITHDRAWN: _OUT,
    **dict.fromkeys((State.ONLINE, State.SUSPECT, State.RECOVERING, State.FULL), _ONLINE),
}


def status(loop: FeedbackLoop) -> Status:
    """Return everything as this observer knows it now."""
    observations, orders = loop.observations(loop.now_s()), loop.orders
    known = loop.deciding.known().states
    published = loop.deciding.published
    view = NO_VIEW if published is None else published.view
    mode = orders.mode.mode if orders.mode is not None and orders.mode.mode is not None else None
    freeze = orders.freeze
    return Status(
        observer=loop.config.node_id,
        decides=loop.deciding.decides or "",
        awake=loop.deciding.awake,
        mode=str(mode or loop.controller.rules.mode),
        frozen=orders.frozen,
        frozen_because=freeze.reason if freeze is not None and freeze.frozen else "",
        frozen_by=in_words(freeze) if freeze is not None and freeze.frozen else "",
        overruled=[
            f"{name} {one.wants}, wanted by {in_words(one)}: overruled by {in_words(other)}, "
            f"{other.wants}"
            for _kind, name, one, other in islice(overruled(orders, time.time()), MOST_OVERRULED)
        ],
        not_kept=dict(loop.keeper.problems),
        view=view.version,
        view_age_s=None if published is None else max(0.0, time.time() - view.made_at),
        lateness_s=loop.lateness_s,
        servers=[
            _server_row(loop, server, known, observations, view)
            for server in loop.controller.topology.servers
        ],
        sites=list(_site_rows(loop, known, observations)),
        observers=list(_observer_rows(loop, observations)),
        alarms=[_alarm_row(one) for one in loop.deciding.all_alarms()],
        coverage={name: dict(weights) for name, weights in view.coverage.items()},
        by_class={
            content: {name: dict(weights) for name, weights in coverage.items()}
            for content, coverage in view.by_class.items()
        },
    )


def _server_row(
    loop: FeedbackLoop,
    server: Server,
    known: States,
    observations: Observations,
    view: View,
) -> ServerRow:
    record = known.servers.get(server.name, ServerRecord())
    own = observations.observers[loop.config.node_id].probes.get(server.name)
    heard = observations.reports.get(server.name)
    egress = None if heard is None else heard.report.egress_bps
    wish = wish_in_force(loop.orders, server.name, server.site, time.time())
    seen = view.servers.get(server.name, ServerView()).state
    return ServerRow(
        server=server.name,
        site=server.site,
        state=str(record.state),
        for_s=record.for_s,
        weight=offered(record, loop.controller.rules.states),
        reasons=[str(one) for one in record.reasons],
        probes={
            name: str(one.probes[server.name].outcome)
            for name, one in observations.observers.items()
            if server.name in one.probes
        },
        total_s=None if own is None else own.total_s,
        egress_bps=egress,
        used=None if egress is None else egress / server.capacity_bps,
        penalty=record.penalty,
        suppressed=record.suppressed,
        wish="" if wish is None else str(wish.wish),
        seen="" if seen in _AS_SEEN[record.state] else str(seen),
    )


def _site_rows(loop: FeedbackLoop, known: States, observations: Observations) -> Iterator[SiteRow]:
    topology = loop.controller.topology
    for site in topology.sites:
        servers = topology.servers_of(site.name)
        serving = [
            server
            for server in servers
            if server.state is AdminState.ONLINE
            and known.servers.get(server.name, ServerRecord()).state in SERVING
        ]
        egress = [
            observations.reports[server.name].report.egress_bps
            for server in servers
            if server.name in observations.reports
        ]
        capacity = _can_send(site, servers, serving)
        total = sum(egress) if egress else None
        yield SiteRow(
            site=site.name,
            kind=site.kind.value,
            servers=len(servers),
            serving=len(serving),
            capacity_bps=capacity,
            target=site.target_utilisation,
            egress_bps=total,
            used=None if total is None or not capacity else total / capacity,
        )


def _can_send(site: Site, servers: Sequence[Server], serving: Sequence[Server]) -> float:
    """Return what the servers that serve can send, and the site's lines; of a site without servers
    what is described.
    """
    described = math.inf if site.capacity_bps is None else float(site.capacity_bps)
    if not servers:
        return described if site.capacity_bps is not None else 0.0
    return min(described, float(sum(server.capacity_bps for server in serving)))


def _observer_rows(loop: FeedbackLoop, observations: Observations) -> Iterator[ObserverRow]:
    own, now_s = loop.config.node_id, loop.now_s()
    for name in loop.deciding.order:
        if name == own:
            yield ObserverRow(
                name,
                0.0,
                loop.deciding.awake,
                loop.deciding.decides or "",
                loop.hears(),
                len(observations.observers[own].probes),
                loop.network_version,
            )
            continue
        problem = loop.others.problems.get(name, "")
        one = loop.others.received.get(name)
        if one is None:
            yield ObserverRow(name, None, problem=problem)
            continue
        said = one.document
        yield ObserverRow(
            name,
            max(0.0, now_s - one.at_s),
            said.awake,
            said.decides,
            list(said.hears),
            len(said.probes),
            said.network,
            problem,
        )


def _alarm_row(alarm: Alarm) -> AlarmRow:
    return AlarmRow(str(alarm.kind), alarm.subject, alarm.text, REMEDIES[alarm.kind])
