"""Why a server or a site is as it is: the chain from observations to what is published."""

from __future__ import annotations

import time
from collections.abc import Iterator

from headrace.feedback.admin.models import Because
from headrace.feedback.control.why import lines
from headrace.feedback.control.why import why as why_server
from headrace.feedback.loop import FeedbackLoop
from headrace.feedback.states.model import ServerRecord
from headrace.feedback.states.ramp import weight
from headrace.topology.model import Server


def why(loop: FeedbackLoop, name: str) -> Because | None:
    """Return the reasons of a server or a site; None when there is none of the name."""
    topology = loop.controller.topology
    server = next((one for one in topology.servers if one.name == name), None)
    if server is not None:
        return Because(name, "server", list(_of_server(loop, server)))
    if any(site.name == name for site in topology.sites):
        return Because(name, "site", list(_of_site(loop, name)))
    return None


def _of_server(loop: FeedbackLoop, server: Server) -> Iterator[str]:
    """Yield what a step would come to now: the same function as decides, from the same memory."""
    record = loop.deciding.known().servers.get(server.name, ServerRecord())
    reasons = ", ".join(record.reasons) or "nothing has been said of it"
    since = f"has been {record.state} for {record.for_s:.0f} s"
    yield f"{server.name} of {server.site} {since}: {reasons}"
    observations = loop.observations(loop.now_s())
    step = loop.controller.step(loop.deciding.memory, observations, time.time(), 0.0, loop.orders)
    found = why_server(loop.controller, step, observations, server.name)
    if found is not None:
        yield from lines(found)
    heard = observations.reports.get(server.name)
    if heard is not None:
        yield (
            f"it reported {heard.age_s:.1f} s ago: {heard.report.egress_bps:.0f} bit/s of "
            f"{server.capacity_bps}"
        )
    published = loop.deciding.published
    seen = None if published is None else published.view.servers.get(server.name)
    said = "as the description has it" if seen is None else f"{seen.state.value}, {seen.weight:g}"
    version = "no view yet" if published is None else f"view {published.view.version}"
    yield f"published ({version}): {said}"


def _of_site(loop: FeedbackLoop, site: str) -> Iterator[str]:
    known = loop.deciding.known().servers
    for server in loop.controller.topology.servers_of(site):
        record = known.get(server.name, ServerRecord())
        reasons = ", ".join(str(one) for one in record.reasons)
        share = weight(record, loop.controller.rules.states)
        yield f"{server.name} is {record.state}, weight {share:g}: {reasons or 'not seen yet'}"
    published = loop.deciding.published
    if published is None:
        yield "no view has been published yet"
        return
    for coverage, weights in published.view.coverage.items():
        if site in weights:
            yield f"coverage {coverage}: weight {weights[site]:g}"
