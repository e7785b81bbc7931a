"""`/v1/steering`: reads what a player asks, has it decided, writes the manifest."""

from __future__ import annotations

import re

import msgspec

from headrace.http.parser import BadRequest
from headrace.router.asking import Asking, Unavailable
from headrace.router.requested import Requested
from headrace.router.steering.choose import MOST_SLOW, Known, Option, choose, is_pathway
from headrace.router.steering.manifest import SLOW, TOLD, manifest, reload_uri
from headrace.router.steering.report import read_pathways, read_report
from headrace.routing.question import Decision

MEDIA_TYPE = b"application/vnd.apple.steering-list"
_NEED = re.compile(r"[0-9]{1,12}")


def steer(asking: Asking) -> bytes:
    """Return the steering manifest. Raises BadRequest."""
    asked, secure = asking.about()
    context, parameters = asking.context, asking.parameters
    if not asking.authority:
        raise BadRequest(400, "without a Host field there is no URL to ask again")
    need = parameters.get("need")
    if need is not None and _NEED.fullmatch(need) is None:
        raise BadRequest(400, "need is a number of bits a second")
    named = read_pathways(parameters.get("pathways", ""))
    decision = asking.decide(asked, secure=secure)
    options = _options(asking, asked, decision, named, secure=secure)
    if not options and not named:
        raise Unavailable(context.retry_after)
    steering = context.config.steering
    network = context.network
    choice = choose(
        options,
        read_report(parameters),
        Known(
            next(iter(read_pathways(parameters.get(TOLD, ""))), ""),
            read_pathways(parameters.get(SLOW, ""), MOST_SLOW),
        ),
        network.site_of_pathway,
        needed_bps=float(need) if need is not None else float(steering.min_throughput),
        keep=steering.keep,
    )
    _count(asking, asked, decision, choice.options[0].pathway if choice.options else "", secure)
    # What the playlist names beside servers and sites (the router itself) is what remains if all
    # of them fail. Servers and sites that are not among the candidates can serve nobody now.
    rest = [name for name in named if name not in network.site_of_pathway]
    if not options and not rest:
        rest = list(named)
    scheme = "https" if asking.secure else "http"
    again = reload_uri(
        f"{scheme}://{asking.authority.decode('ascii')}",
        parameters["url"],
        named,
        need,
        choice.known,
    )
    return msgspec.json.encode(
        manifest(choice.options, named, rest, ttl=round(steering.ttl_s), reload_uri=again)
    )


def _options(
    asking: Asking, asked: Requested, decision: Decision, named: tuple[str, ...], *, secure: bool
) -> list[Option]:
    """Return the candidates as pathways: those that the playlist names, as it does; others as
    clones of the first one named. A playlist that names nothing is taken to name the sites.
    """
    network = asking.context.network
    scheme = "https://" if secure else "http://"
    found: dict[str, Option] = {}
    for candidate in decision.candidates:
        site = candidate.site.name
        place = asked.places.place(candidate, secure=secure)
        if place.base is None:
            continue
        name, host = site if candidate.server is None else candidate.server.name, ""
        if name not in named:
            if site in named or not named:
                name = site
            elif place.base.startswith(scheme) and "/" not in place.base.removeprefix(scheme):
                host = place.base.removeprefix(scheme)
            else:
                continue  # a clone has its base's scheme and paths
        if not is_pathway(name) or name in found:
            continue
        order = network.order(decision.coverage, site)
        found[name] = Option(name, site, order, candidate.spare, host)
    return list(found.values())


def _count(
    asking: Asking, asked: Requested, decision: Decision, pathway: str, secure: bool
) -> None:
    """Count the place that the player is sent to first."""
    for candidate in decision.candidates:
        server = candidate.server
        if pathway in (candidate.site.name, server.name if server is not None else ""):
            asked.places.place(candidate, secure=secure).tally.count(decision)
            return
    asking.context.tallies.of(None, asked.classified.content).count(decision)
