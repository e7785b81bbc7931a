"""Why a server or a site is as it is: the chain from observations to what is published."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.feedback.admin.models import Because
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
    record = loop.deciding.known().servers.get(server.name, ServerRecord())
    reasons = ", ".join(str(one) for one in record.reasons) or "nothing has been said of it"
    yield f"{server.name} of {server.site} is {record.state} since {record.for_s:.0f} s: {reasons}"
    observations = loop.observations(loop.now_s())
    for name, observer in observations.observers.items():
        probe = observer.probes.get(server.name)
        if probe is None:
            yield f"observer {name} has not probed it"
            continue
        age_s = probe.age_s + observer.age_s
        row = f"{probe.failures} failed" if probe.failures else f"{probe.successes} good"
        yield f"observer {name}: {probe.outcome} {age_s:.1f} s ago, {row} in a row"
    heard = observations.reports.get(server.name)
    if heard is not None:
        yield (
            f"it reported {heard.age_s:.1f} s ago: {heard.report.egress_bps:.0f} bit/s of "
            f"{server.capacity_bps}"
        )
    wish = loop.orders.servers.get(server.name) or loop.orders.sites.get(server.site)
    if wish is not None:
        by = f" by {wish.by}" if wish.by else ""
        yield f"an operator wants it {wish.wish}{by}: {wish.reason or 'no reason was given'}"
    if record.penalty >= 1:
        kept = ", kept out for it" if record.suppressed else ""
        yield f"its flaps left a penalty of {record.penalty:.0f}{kept}"
    published = loop.deciding.published
    seen = None if published is None else published.view.servers.get(server.name)
    said = "as the description has it" if seen is None else f"{seen.state.value}, {seen.weight:g}"
    version = "no view yet" if published is None else f"view {published.view.version}"
    share = weight(record, loop.controller.rules.states)
    yield f"its weight is {share:g}; published ({version}): {said}"


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
