"""How a decision was made, step by step, in words and values: for operators, not for the path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from headrace.routing.eligible import Eligibility, Eligible
from headrace.routing.geography import kilometres_to
from headrace.routing.plan import Asked, Planner
from headrace.routing.question import Candidate, Decision, Question
from headrace.routing.rendezvous import by_score, network_bits
from headrace.routing.sites import Level, Rank, Share, Sites, speaks
from headrace.topology.geo import NOWHERE, Place
from headrace.topology.model import AdminState, Server, SiteKind
from headrace.topology.view import ServerState

_SPOKEN = {True: "HTTPS", False: "HTTP", None: "HTTP or HTTPS"}
_LEVELS = {Level.GOOD: "serves", Level.SPARE: "no new clients", Level.DEAD: "nothing serves"}


class Step(msgspec.Struct, frozen=True):
    """A step: its name, what happened in a sentence, and the values it speaks of."""

    step: str
    says: str
    values: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Explainer:
    """Says how a decision of these came to be."""

    eligibility: Eligibility
    sites: Sites
    planner: Planner

    def steps(
        self, question: Question, asked: Asked, network: bytes, decision: Decision
    ) -> Iterator[Step]:
        """Yield the steps. `asked` and `network` are what the decision went by."""
        eligible = self.eligibility.of(question.client, asked.content)
        yield _client(question)
        yield _coverage(question, eligible)
        if eligible.place is not None:
            yield _place(eligible.place)
        for number, rank in enumerate(eligible.ranks, 1):
            yield self._rank(number, rank, network, asked, eligible.place)
        yield _shard(question, asked)
        offered = {each.site.name: each for each in reversed(decision.candidates)}
        for rank in eligible.ranks:
            for share in rank.shares:
                # Where nobody can serve, each site says why.
                if share.site.kind is not SiteKind.EXTERNAL and (
                    share.site.name in offered or not offered
                ):
                    yield self._servers(share, asked)
        yield self._external(asked)
        yield _decision(decision)

    def _rank(
        self,
        number: int,
        rank: Rank,
        network: bytes,
        asked: Asked,
        place: Place | None,
    ) -> Step:
        total = sum(share.weight for share in rank.shares)
        rows = []
        for share in by_score(network, rank.shares):
            row: dict[str, Any] = {
                "site": share.site.name,
                "weight": round(share.weight, 4),
                "share": round(share.weight / total, 4) if total else 0.0,
                "state": self._state(share, asked),
            }
            if share.keeps < 1.0:
                row["keeps"] = round(share.keeps, 4)
            away_km = None if place is None else kilometres_to(share, place)
            if away_km is not None:
                row["km"] = round(away_km)
            rows.append(row)
        named = ", ".join(_site_words(row) for row in rows)
        how = ", in this client's order" if len(rows) > 1 else ""
        weighed = ", weights by the view" if rank.by_view else ""
        where = f"rank {number} (by {rank.reason.word}{weighed})"
        if rank.passed_on:
            where = "first for those whom their nearest site passes on (weights by the view)"
        return Step(
            "sites",
            f"{where}{how}: {named}",
            {
                "rank": number,
                "reason": rank.reason.word,
                "weights_by": "view" if rank.by_view else "description",
                "sites": rows,
            },
        )

    def _state(self, share: Share, asked: Asked) -> str:
        if share.site.name in asked.avoid:
            return "avoided"
        level = self.sites.levels(asked.secure)[share.site.name]
        if level is Level.GOOD and not share.weight:
            return "weight 0"
        return _LEVELS[level]

    def _servers(self, share: Share, asked: Asked) -> Step:
        site = share.site
        offer = self.planner.of_site(share, asked)
        names = [each.server.name for each in (*offer.good, *offer.spare) if each.server]
        left_out = {}
        for server in self.sites.servers_of(site):
            if server.name not in names:
                left_out[server.name] = (
                    self._why_not(server)
                    if speaks(server, asked.secure)
                    else f"no {_SPOKEN[asked.secure]}"
                )
        spare = {
            each.server.name: self._why_spare(each, asked) for each in offer.spare if each.server
        }
        held = ", ".join(names[: offer.held]) or "none"
        words = [f"site {site.name}: held by {held}"]
        if len(offer.good) > offer.held:
            words.append(f"then {', '.join(names[offer.held : len(offer.good)])}")
        words += [f"{name} last: {why}" for name, why in spare.items()]
        words += [f"{name} left out: {why}" for name, why in left_out.items()]
        return Step(
            "servers",
            "; ".join(words),
            {
                "site": site.name,
                "servers": names,
                "held_by": offer.held,
                "spare": spare,
                "left_out": left_out,
            },
        )

    def _why_not(self, server: Server) -> str:
        if server.state is AdminState.WITHDRAWN:
            return "withdrawn in the description"
        if self.sites.server_states[server.name] is ServerState.FAILED:
            return "failed, says the view"
        return "further on for this shard"

    def _why_spare(self, candidate: Candidate, asked: Asked) -> str:
        server = candidate.server
        if server is None or server.name in asked.avoid or candidate.site.name in asked.avoid:
            return "avoided"
        state = self.sites.server_states[server.name]
        described = server.state is AdminState.DRAINING and state is ServerState.DRAINING
        return f"{state.value}, says the {'description' if described else 'view'}"

    def _external(self, asked: Asked) -> Step:
        names = [site.name for site in self.sites.externals]
        allowed = asked.content.external
        if not names:
            says = "the network has no external site"
        elif allowed:
            says = f"external sites stand in after these: {', '.join(names)}"
        else:
            says = f"class {asked.content.name} must not be served by external sites: " + (
                f"{', '.join(names)} left out"
            )
        return Step("external", says, {"sites": names, "allowed": allowed})


def _client(question: Question) -> Step:
    spoken = _SPOKEN[question.secure]
    if question.client is None:
        return Step("client", f"the client is not known; it speaks {spoken}", {"client": None})
    client = question.client
    network = ip_network((client, network_bits(client)), strict=False)
    return Step(
        "client",
        f"the client {ip_address(client)} counts as one of {network}; it speaks {spoken}",
        {"client": str(ip_address(client)), "network": str(network), "avoid": _avoided(question)},
    )


def _avoided(question: Question) -> list[str]:
    return sorted(question.avoid)


def _coverage(question: Question, eligible: Eligible) -> Step:
    scope = None
    if question.client is not None:
        scope = str(ip_network((question.client, eligible.prefix_length), strict=False))
    by_coverage = bool(eligible.ranks) and eligible.ranks[0].reason.word == "coverage"
    values = {"coverage": eligible.coverage, "listed": by_coverage, "same_for": scope}
    if by_coverage:
        return Step("coverage", f"coverage {eligible.coverage} lists it and all of {scope}", values)
    others = (
        f"the default coverage {eligible.coverage} has the sites"
        if eligible.coverage
        else "no coverage is the default: all edge sites may serve"
    )
    where = "" if scope is None else f" nor others of {scope}"
    return Step("coverage", f"no coverage lists it{where}; {others}", values)


def _place(place: Place) -> Step:
    if place == NOWHERE:
        return Step("place", "the geographic file does not know where it is")
    words = [word for word in (place.country, place.continent) if word]
    if place.latitude is not None and place.longitude is not None:
        words.append(f"{place.latitude:.4f}, {place.longitude:.4f}")
    return Step("place", f"it is in {', '.join(words)}", {"place": msgspec.structs.asdict(place)})


def _site_words(row: dict[str, Any]) -> str:
    km = f", {row['km']} km" if "km" in row else ""
    keeps = f", keeps {row['keeps']:.0%} of its clients" if "keeps" in row else ""
    share = f"{row['share']:.0%} by weight {row['weight']:g}"
    return f"{row['site']} ({share}{km}{keeps}; {row['state']})"


def _shard(question: Question, asked: Asked) -> Step:
    name = asked.content.name
    if not question.shard:
        return Step(
            "shard",
            f"class {name}; no shard is known, so that its network says which server",
            {"class": name, "shard": None},
        )
    shard = question.shard.decode("utf-8", "backslashreplace")
    return Step("shard", f"class {name}, shard {shard}", {"class": name, "shard": shard})


def _decision(decision: Decision) -> Step:
    names = places(decision.candidates)
    if not names:
        return Step("decision", "nothing can serve the client", {"candidates": []})
    away = "; it belongs elsewhere, when all serve" if decision.fallback else ""
    return Step(
        "decision",
        f"{names[0]}, by {decision.reason.word}{away}"
        + (f"; then {', '.join(names[1:])}" if len(names) > 1 else ""),
        {
            "candidates": names,
            "reason": decision.reason.word,
            "fallback": decision.fallback,
            "prefix_length": decision.prefix_length,
        },
    )


def places(candidates: Sequence[Candidate]) -> list[str]:
    """Return the names of servers, or of external sites."""
    return [each.site.name if each.server is None else each.server.name for each in candidates]
