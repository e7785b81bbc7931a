"""The decision where a client goes: the same for redirects, DNS and content steering.

Coverage or geography names the sites, in ranks; within a rank rendezvous by weight orders them for
the client's network; the placement says which servers of a site hold the shard. What takes no new
clients comes last, and external sites stand in before that, where the class allows them.

Two memories make it quick: the order of sites by client network, and what such an order offers for
a shard. Both belong to one topology and one view: a new view means new ones.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import msgspec

from headrace.bounded import BoundedMemory
from headrace.routing.alike import AlikeClients
from headrace.routing.eligible import Eligibility, Eligible
from headrace.routing.explain import Explainer, Step
from headrace.routing.order import Order, order_sites
from headrace.routing.plan import Asked, Plan, Planner
from headrace.routing.question import MOST_AVOIDED, MOST_SITES, Decision, Question
from headrace.routing.rendezvous import hash_network, network_bits
from headrace.routing.sites import Rank, Sites
from headrace.routing.straight import Straight
from headrace.topology.coverage import CoverageTable
from headrace.topology.geo import Places
from headrace.topology.model import ContentClass, Topology
from headrace.topology.placement import Placement
from headrace.topology.tiers import Placing
from headrace.topology.view import NO_VIEW, ServerView, View

MEMORY_BYTES = 64 * 1024 * 1024
"""What a `Routing` remembers at most, of clients and of shards together."""

_SITES_AHEAD = MOST_SITES + 2
_NOBODY = frozenset[str]()
_OrderKey = tuple[object, ...]
_ClientKey = tuple[bytes, str, bool | None]
_FixedKey = tuple[str, str, bool | None, int]
_PlanKey = tuple[int, str, bytes, bool | None, int]


class Known(msgspec.Struct, frozen=True):
    """What is remembered of a client. `network` stands for its network and class in hashes, and
    `number` for the order of sites in the memory of plans. `prefix_length` is the scope of the
    order, `network_length` that of an answer for which the client's network counts. `straight` is
    where it goes without a plan.
    """

    order: Order
    number: int
    network: bytes
    coverage: str
    prefix_length: int
    network_length: int
    straight: Straight | None


class Routing:
    """Decisions under one topology and one view."""

    def __init__(
        self,
        topology: Topology,
        placement: Placing,
        coverage: CoverageTable,
        geo: Places | None = None,
        view: View = NO_VIEW,
        *,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.sites = Sites(topology, view)
        self.planner = Planner(
            self.sites, placement, lambda: undisturbed(topology, placement, view)
        )
        self.eligibility = Eligibility(topology, self.sites, coverage, geo, memory_bytes // 8)
        self._next_number = count().__next__
        self._orders = BoundedMemory[_OrderKey, tuple[int, Order]](
            memory_bytes // 8, lambda key, _order: 600 + 40 * len(key)
        )
        # The orders that are the same for all clients of some ranks, with those: half of what a new
        # client costs. As many as there are coverages and classes.
        self._fixed: dict[_FixedKey, tuple[tuple[Rank, ...], int, Order]] = {}
        self._clients = BoundedMemory[_ClientKey, Known](
            memory_bytes * 3 // 8, lambda _key, _known: 300
        )
        self._plans = BoundedMemory[_PlanKey, Plan](memory_bytes * 3 // 8, _plan_cost)
        self.alike = AlikeClients(self.sites, self.eligibility, placement, coverage, view).of_class

    def decide(self, question: Question, trace: list[Step] | None = None) -> Decision:
        """Return where a client goes, and write into `trace` how that came to be."""
        if question.avoid:
            known, plan = self._without_memory(question)
        else:
            known = self._known(question.client, question.content, question.secure)
            plan = self._plan(known, question)
        candidates, length = plan.candidates, known.prefix_length
        if len(plan.seeds) > 1:
            candidates = plan.for_network(known.network)
            length = known.network_length
        elif not question.shard:
            length = known.network_length
        decision = Decision(candidates, plan.reason, known.coverage, length, plan.fallback)
        if trace is not None:
            explainer = Explainer(self.eligibility, self.sites, self.planner)
            asked = _asked(question, known)
            trace += explainer.steps(question, asked, known.network, decision)
        return decision

    def first(self, question: Question) -> Decision | None:
        """Return the decision with no more than its first candidate, where that can be said at
        once; None: `decide`.
        """
        if question.avoid:
            return None
        known = self._known(question.client, question.content, question.secure)
        straight = known.straight
        server = None if straight is None else straight.server(question.shard or known.network)
        if server is None:
            return None
        first = self.planner.candidate(known.order, server, question.secure)
        length = known.prefix_length if question.shard else known.network_length
        return Decision((first,), known.order.good[0][1], known.coverage, length)

    def straight(
        self, client: bytes | None, content: ContentClass, secure: bool | None
    ) -> Straight | None:
        """Return where a client goes without a plan, for shards that have a name; None: each
        takes a decision.
        """
        return self._known(client, content, secure).straight

    def _without_memory(self, question: Question) -> tuple[Known, Plan]:
        """Return the same for a client that wants to be kept from some: who says so, can say any
        number of things, so that nothing of it is remembered."""
        eligible = self.eligibility.of(question.client, question.content)
        most = _SITES_AHEAD + MOST_AVOIDED
        known = self._make(eligible, question.client, question.content, question.secure, most)
        return known, self.planner.plan(known.order, _asked(question, known))

    def _known(self, client: bytes | None, content: ContentClass, secure: bool | None) -> Known:
        """Return what is to be known of a client, remembered by its network or by itself."""
        entries = self._clients.entries
        network = hash_network(client)
        known = entries.get((network, content.name, secure))
        if known is None and client is not None:
            known = entries.get((client, content.name, secure))
        if known is None:
            eligible = self.eligibility.of(client, content)
            known = self._make(eligible, client, content, secure, _SITES_AHEAD)
            if client is None or eligible.prefix_length <= network_bits(client):
                self._clients.put((network, content.name, secure), known)
            else:
                self._clients.put((client, content.name, secure), known)
        return known

    def _make(
        self,
        eligible: Eligible,
        client: bytes | None,
        content: ContentClass,
        secure: bool | None,
        most: int,
    ) -> Known:
        network = hash_network(client) + b"\0" + content.name.encode()
        key = (eligible.coverage, content.name, secure, most)
        fixed = self._fixed.get(key)
        if fixed is not None and fixed[0] is eligible.ranks:
            _ranks, number, order = fixed
        else:
            levels = self.sites.levels(secure)
            order = order_sites(eligible.ranks, network, levels, most)
            number, order = self._numbered(eligible.coverage, order)
            if not order.shared:
                self._fixed[key] = (eligible.ranks, number, order)
        length = eligible.prefix_length
        wide = 0 if client is None else max(length, network_bits(client))
        straight = self.planner.straight(order, content, secure)
        return Known(
            order, number, network, eligible.coverage, wide if order.shared else length, wide,
            straight,
        )  # fmt: skip

    def _numbered(self, coverage: str, order: Order) -> tuple[int, Order]:
        """Return an order once for all clients that have it, and its number: never one of another
        order."""
        parts: list[object] = [coverage, order.belongs, order.shared, len(order.good)]
        for share, reason in (*order.good, *order.spare):
            parts += (share.site.name, share.weight, reason.word)
        key = tuple(parts)
        numbered = self._orders.entries.get(key)
        if numbered is None:
            numbered = (self._next_number(), order)
            self._orders.put(key, numbered)
        return numbered

    def _plan(self, known: Known, question: Question) -> Plan:
        content, shard = question.content, question.shard or known.network
        key = (known.number, content.name, shard, question.secure, question.sites)
        plan = self._plans.entries.get(key)
        if plan is None:
            plan = self.planner.plan(known.order, _asked(question, known))
            self._plans.put(key, plan)
        return plan


def undisturbed(topology: Topology, placement: Placing, view: View) -> Placing:
    """Return where shards are if all servers serve that the description says so of."""
    servers = {name: ServerView(weight=one.weight) for name, one in view.servers.items()}
    former = placement if isinstance(placement, Placement) else None
    return Placement(topology, replace(view, servers=servers), former)


def _asked(question: Question, known: Known) -> Asked:
    """Return what of a question counts in the sites. Without a shard, the network stands for it."""
    return Asked(
        question.content,
        question.shard or known.network,
        question.secure,
        min(max(question.sites, 1), MOST_SITES),
        frozenset(sorted(question.avoid)[:MOST_AVOIDED]) if question.avoid else _NOBODY,
    )


def _plan_cost(key: _PlanKey, plan: Plan) -> int:
    return 400 + len(key[2]) + 100 * len(plan.candidates) + 40 * len(plan.seeds)
