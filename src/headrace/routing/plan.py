"""What the sites in their order offer for a shard: the same for all clients with that order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from headrace.reasons import Reason
from headrace.routing.order import Order
from headrace.routing.question import Candidate
from headrace.routing.rendezvous import score, seed_of
from headrace.routing.sites import Share, Sites, speaks, speaks_external
from headrace.routing.straight import Straight
from headrace.topology.model import ContentClass, Server, SiteKind
from headrace.topology.placement import Placement
from headrace.topology.tiers import Placing
from headrace.topology.view import ServerState

_FALLBACKS = 2
_OF_OTHER_SITES = 2
_MOST_EXTERNAL = 2
_MOST_SPARE = 2
_MOST_KNOWN = 1024
"""So many sites at a weight have their candidates kept: a view may have a weight for each class in
each coverage."""


class Asked(msgspec.Struct, frozen=True):
    """What of a question counts when the sites are in order."""

    content: ContentClass
    shard: bytes
    secure: bool | None
    sites: int
    avoid: frozenset[str]


class Offer(msgspec.Struct, frozen=True):
    """What a site offers: what serves new clients, of which the first `held` hold the shard, and
    the rest."""

    good: list[Candidate]
    spare: list[Candidate]
    held: int


class Plan(msgspec.Struct, frozen=True):
    """The candidates for a shard. The first of them, as many as there are `seeds`, hold it alike:
    which one comes first is for the client's network to say."""

    candidates: tuple[Candidate, ...]
    seeds: tuple[int, ...]
    reason: Reason
    fallback: bool

    @property
    def shared(self) -> bool:
        """Return whether the client's network counts."""
        return len(self.seeds) > 1

    def for_network(self, network: bytes) -> tuple[Candidate, ...]:
        """Return the candidates for a client, among those who hold the shard its own first."""
        scores = [score(network, seed, 1.0) for seed in self.seeds]
        first = scores.index(max(scores))
        chosen = self.candidates
        return (chosen[first], *chosen[:first], *chosen[first + 1 :])


class Planner:
    """Makes plans under one view."""

    def __init__(
        self, sites: Sites, placement: Placing, undisturbed: Callable[[], Placing]
    ) -> None:
        """Make plans by `placement`; `undisturbed` makes the one of a day when all serve."""
        self._sites = sites
        self._placement = placement
        self._make_undisturbed = undisturbed
        self._undisturbed: Placing | None = None
        self._stand_ins: dict[bool | None, list[Candidate]] = {}
        self._known: dict[tuple[str, float, bool | None], dict[str, Candidate]] = {}
        # By site, class, what is spoken, reason: as many as a description has them.
        self._straight: dict[tuple[str, str, bool | None, str], Straight] = {}

    def plan(self, order: Order, asked: Asked) -> Plan:
        """Return what sites offer for a shard, whoever in them is to be avoided put last."""
        good: list[Candidate] = []
        spare: list[Candidate] = []
        reason = Reason.NO_SERVER
        held = offered = 0
        for share, why in order.good:
            offer = self.of_site(share, asked)
            spare += offer.spare
            if not offer.good:
                continue
            if not good:
                held, reason = offer.held, why
                good += offer.good[: held + _FALLBACKS]
            else:
                good += offer.good[:_OF_OTHER_SITES]
            offered += 1
            if offered == asked.sites:
                break
        externals = self._externals(asked, order)
        if not good and externals.good:
            reason = Reason.BY_EXTERNAL
        good += externals.good
        if len(spare) < _MOST_SPARE:
            for share, _why in order.spare[: asked.sites]:
                offer = self.of_site(share, asked)
                spare += [_spare(each) for each in (*offer.good, *offer.spare)]
        spare += externals.spare
        if not good and spare:
            reason = _reason_of(spare[0], order)
        candidates = (*good, *spare[:_MOST_SPARE])
        fallback = bool(candidates) and self._is_fallback(candidates[0], order, asked)
        seeds = _seeds(good[:held]) if held > 1 else ()
        return Plan(candidates, seeds, reason, fallback)

    def straight(self, order: Order, content: ContentClass, secure: bool | None) -> Straight | None:
        """Return where clients with this order go without a plan; None: each takes one.

        Nobody who goes there is sent to a fallback.
        """
        if not order.good:
            return None
        share, reason = order.good[0]
        name = share.site.name
        if (
            name != order.belongs
            or share.site.kind is SiteKind.EXTERNAL
            or name in self._sites.worse
        ):
            return None
        key = (name, content.name, secure, reason.word)
        found = self._straight.get(key)
        if found is None:
            placement = self._placement
            find = (
                placement.finder(name, content)
                if isinstance(placement, Placement)
                else partial(placement.owners, name, content)
            )
            known = self._candidates(share, secure)
            usable = [server for server, candidate in known.items() if not candidate.spare]
            found = self._straight[key] = Straight(find, usable)
        return found

    def candidate(self, order: Order, server: Server, secure: bool | None) -> Candidate:
        """Return a server of the first site of an order as a candidate."""
        return self._candidates(order.good[0][0], secure)[server.name]

    def _is_fallback(self, first: Candidate, order: Order, asked: Asked) -> bool:
        """Return whether another one would be the first if all served."""
        if first.spare or first.site.name != order.belongs:
            return True
        if first.server is None or first.site.name not in self._sites.worse:
            return False
        if self._undisturbed is None:
            self._undisturbed = self._make_undisturbed()
        owners = self._undisturbed.owners(first.site.name, asked.content, asked.shard)
        return first.server not in owners.servers[: owners.width]

    def of_site(self, share: Share, asked: Asked) -> Offer:
        """Return what a site offers."""
        site = share.site
        if site.kind is SiteKind.EXTERNAL:
            return _offer([Candidate(site, None, share.weight, site.name in asked.avoid)], 0)
        owners = self._placement.owners(site.name, asked.content, asked.shard)
        known = self._candidates(share, asked.secure)
        shunned = site.name in asked.avoid
        good: list[Candidate] = []
        spare: list[Candidate] = []
        held = 0
        for number, server in enumerate(owners.servers):
            candidate = known.get(server.name)
            if candidate is None:
                continue
            if candidate.spare:
                spare.append(candidate)
            elif shunned or server.name in asked.avoid:
                spare.append(_spare(candidate))
            else:
                good.append(candidate)
                held += number < owners.width
                if len(good) == owners.width + _FALLBACKS:
                    break
        return Offer(good, spare, held)

    def _candidates(self, share: Share, secure: bool | None) -> dict[str, Candidate]:
        """Return the candidates of a site by the names of its servers; only those that speak what
        the client speaks."""
        key = (share.site.name, share.weight, secure)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            states = self._sites.server_states
            known = self._known[key] = {
                server.name: Candidate(
                    share.site,
                    server,
                    share.weight,
                    states[server.name] is not ServerState.ONLINE,
                )
                for server in self._sites.servers_of(share.site)
                if speaks(server, secure)
            }
        return known

    def _externals(self, asked: Asked, order: Order) -> Offer:
        """Return the external sites that stand in for the network's, but those that have a place
        in the order."""
        if not asked.content.external or not self._sites.externals:
            return _NO_OFFER
        others = self._stand_ins.get(asked.secure)
        if others is None:
            others = self._stand_ins[asked.secure] = [
                Candidate(site, None, 0.0)
                for site in self._sites.externals
                if speaks_external(site, asked.secure)
            ]
        if order.external:
            named = {share.site.name for share, _why in (*order.good, *order.spare)}
            others = [each for each in others if each.site.name not in named]
        if not asked.avoid:
            return Offer(others[:_MOST_EXTERNAL], [], 0)
        others = [_spare(each) if each.site.name in asked.avoid else each for each in others]
        offer = _offer(others, 0)
        return Offer(offer.good[:_MOST_EXTERNAL], offer.spare[:_MOST_EXTERNAL], 0)


_NO_OFFER = Offer([], [], 0)


def _offer(found: list[Candidate], held: int) -> Offer:
    return Offer(
        [each for each in found if not each.spare], [each for each in found if each.spare], held
    )


def _seeds(held: list[Candidate]) -> tuple[int, ...]:
    return tuple(seed_of(each.server.name) for each in held if each.server)


def _spare(candidate: Candidate) -> Candidate:
    return Candidate(candidate.site, candidate.server, candidate.weight, True)


def _reason_of(candidate: Candidate, order: Order) -> Reason:
    """Return why the site of a candidate is offered."""
    for share, why in (*order.good, *order.spare):
        if share.site is candidate.site:
            return why
    return Reason.BY_EXTERNAL
