"""Why a server or a site is as it is: the chain from observations to what is published."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from headrace.config.units import rounded_bit_rate
from headrace.feedback.admin.models import Because, DryRun
from headrace.feedback.admin.order_rows import in_words
from headrace.feedback.control.controller import Step
from headrace.feedback.control.why import lines, utc
from headrace.feedback.control.why import why as why_of
from headrace.feedback.loop import FeedbackLoop
from headrace.feedback.observation import Observations
from headrace.feedback.orders import Mode, OperatorWish, Wish, in_force, is_over
from headrace.feedback.states.model import ServerRecord, State
from headrace.feedback.states.ramp import offered
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


def dry_run(loop: FeedbackLoop) -> DryRun:
    """Return what the balance comes to."""
    step, mode = loop.shown(), _mode(loop)
    found = None if step is None else step.explanation.balance
    if found is None:
        text = "the balance is not worked out: the mode is states (headrace feedback mode dry-run)"
        if mode is not Mode.STATES:
            text = "the balance has not been worked out here yet"
        return DryRun(str(mode), False, [text])
    said = [one.says() for one in found.sites]
    said += [one.says() for one in found.moved]
    if not found.moved:
        said.append("no client is moved")
    elif not found.applied:
        said.append("none of this is in force")
    return DryRun(str(mode), found.applied, said)


def _mode(loop: FeedbackLoop) -> Mode:
    ordered = loop.orders.mode
    if ordered is not None and ordered.mode is not None:
        return ordered.mode
    return loop.controller.rules.mode


def _of_server(loop: FeedbackLoop, server: Server) -> Iterator[str]:
    observations = loop.observations(loop.now_s())
    step, published = _explaining(loop, observations), loop.deciding.published
    view = None if published is None else published.view
    found = None if step is None else why_of(loop.controller, step, observations, server.name, view)
    if found is not None:
        yield from lines(found)
        yield from _of_decided(loop, server.name, found.state)
    heard = observations.reports.get(server.name)
    if heard is not None:
        sent = rounded_bit_rate(heard.report.egress_bps)
        yield f"it reported {heard.whole_age_s:.1f} s ago that it sends {sent}"
    yield from _of_wishes(server.name, loop.orders.servers.get(server.name, ()))
    yield from _of_wishes(server.site, loop.orders.sites.get(server.site, ()))
    yield from _of_view(loop)


def _explaining(loop: FeedbackLoop, observations: Observations) -> Step | None:
    """Return the step that explains how servers are: the last own one, or what follows at this
    moment from what was decided elsewhere. That takes 20 ms for 1,000 servers: people ask for it.
    """
    deciding = loop.deciding
    if deciding.step is not None or not deciding.knows:
        return deciding.step
    # The running one is at work in a thread only while this observer decides.
    controller = loop.controller.apart()
    return controller.step(deciding.known(), observations, time.time(), 0.0, loop.orders)


def _of_decided(loop: FeedbackLoop, server: str, state: State) -> Iterator[str]:
    """Yield what was decided, where that is not what follows here at this moment."""
    decided = loop.deciding.known().states.servers.get(server)
    if loop.deciding.step is None and decided is not None and decided.state is not state:
        has = f"{loop.deciding.decides or 'whoever decided last'} has it {decided.state}"
        reasons = ", ".join(decided.reasons) or "none"
        yield f"that is by what is known here; {has} (reasons: {reasons})"


def _of_site(loop: FeedbackLoop, site: str) -> Iterator[str]:
    known = loop.deciding.known().states.servers
    for server in loop.controller.topology.servers_of(site):
        record = known.get(server.name, ServerRecord())
        reasons = ", ".join(record.reasons)
        share = offered(record, loop.controller.rules.states)
        yield f"{server.name} is {record.state}, weight {share:g}: {reasons or 'not seen yet'}"
    step = loop.shown()
    if step is not None:
        yield from _of_balance(step, site)
    full = loop.deciding.known().states.sites.get(site)
    if full is not None and full.share < 1.0 and _mode(loop) is not Mode.BOTH:
        yield f"it was full as a whole: it keeps {full.share:.0%} of its clients"
    yield from _of_wishes(site, loop.orders.sites.get(site, ()))
    published = loop.deciding.published
    if published is not None:
        for coverage, weights in published.view.coverage.items():
            if site in weights:
                yield f"in the view coverage {coverage} has it with weight {weights[site]:g}"
        for content, by_coverage in published.view.by_class.items():
            for coverage, weights in by_coverage.items():
                if site in weights:
                    of_class = f"coverage {coverage} of class {content}"
                    yield f"in the view {of_class} has it with weight {weights[site]:g}"
    yield from _of_view(loop)


def _of_balance(step: Step, site: str) -> Iterator[str]:
    found = step.explanation.balance
    if found is None:
        return
    load, moved = found.of_site(site)
    if load is not None:
        yield load.says()
    for one in moved:
        yield one.says()
    if moved and not found.applied:
        yield "that is a dry run: nothing of it is in force"


def _of_wishes(subject: str, beside: Sequence[OperatorWish]) -> Iterator[str]:
    now = time.time()
    counts = in_force(beside, now)
    for wish in beside:
        if wish.wish is not Wish.NONE and not is_over(wish, now):
            yield _of_wish(subject, wish) + ("" if wish is counts else " (overruled)")


def _of_wish(subject: str, wish: OperatorWish) -> str:
    until = "" if wish.until is None else f" until {utc(wish.until)}"
    reason = wish.reason or "no reason given"
    return f"order of {in_words(wish)}: {subject} {wish.wish}{until}: {reason}"


def _of_view(loop: FeedbackLoop) -> Iterator[str]:
    published = loop.deciding.published
    if loop.orders.frozen:
        freeze = loop.orders.freeze
        by = "an operator" if freeze is None else in_words(freeze)
        yield f"{by} has frozen the view: what is observed changes nothing in it"
    if published is None:
        yield "no view has been published yet"
    else:
        decides = loop.deciding.decides or "nobody at the moment"
        yield f"decided by {decides}, in view {published.view.version}"
        if loop.deciding.aside.is_aside(loop.now_s()):
            yield "nodes have newer views of other observers: ask one of these"
