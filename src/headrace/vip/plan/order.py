"""Who may announce a VIP, in order: its owner, then its neighbours. Pure, and by names alone.

Each candidate bids for each VIP by weighted rendezvous, so that a server that joins or leaves
changes the lists that it enters or leaves, and hardly others. The VIPs of one server take their
neighbours in turns: first all first ones, then all second ones, and in one turn none twice while
there are others. So what a server carried falls upon as many neighbours as it has VIPs. States are
no part of this: a server that fails keeps its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headrace.routing.rendezvous import score, seed_of
from headrace.topology.model import Server, Site, Topology, Withdrawal
from headrace.vip.plan.model import Address

HIGHEST_COUNT = 1 << 30


@dataclass(frozen=True, slots=True)
class Candidates:
    """Those who may announce a VIP, its owner first. It is the owner's VIP number `index`."""

    owner: str
    index: int
    names: tuple[str, ...]

    def rank(self, name: str) -> int | None:
        """Return a server's place; None where it is no candidate."""
        return self.names.index(name) if name in self.names else None


@dataclass(frozen=True, slots=True, eq=False)
class SiteOrder:
    """A site with its servers, and who may announce each VIP of it; made once of a description, and
    equal to itself alone."""

    site: Site
    servers: Mapping[str, Server]
    vips: Mapping[Address, Candidates]
    withdrawals: tuple[Withdrawal, ...] = ()
    _ranks: dict[str, Mapping[Address, tuple[str, int]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def ranks(self, name: str) -> Mapping[Address, tuple[str, int]]:
        """Return the owner and the rank of each VIP that a server is a candidate for, its own
        first. It is worked out once: servers plan several times a second, and a site may be large.
        """
        known = self._ranks.get(name)
        if known is None:
            found = [
                (rank, vip, one.owner)
                for vip, one in self.vips.items()
                if (rank := one.rank(name)) is not None
            ]
            found.sort(key=lambda each: (each[0], each[1].version, int(each[1])))
            known = self._ranks[name] = {vip: (owner, rank) for rank, vip, owner in found}
        return known


def site_order(topology: Topology, site: str) -> SiteOrder:
    """Return the order of a site. Raises KeyError where there is no such site."""
    described = topology.site(site)
    servers = topology.servers_of(site)
    names = {one.name for one in servers}
    return SiteOrder(
        described,
        {one.name: one for one in servers},
        dict(_candidates(servers, described.announce.neighbours)),
        tuple(one for one in topology.withdrawals if one.site == site or one.server in names),
    )


def _candidates(servers: Sequence[Server], neighbours: int) -> Iterator[tuple[Address, Candidates]]:
    seeds = {one.name: seed_of(one.name) for one in servers}
    for version in (4, 6):
        able = [one for one in servers if (one.ipv4 if version == 4 else one.ipv6)]
        for owner in servers:
            own = [
                (index, address)
                for index, vip in enumerate(owner.vips)
                for address in vip.addresses
                if address.version == version
            ]
            if not own:
                continue
            others = [one for one in able if one.name != owner.name]
            indexes = [index for index, _address in own]
            lists = _dealt(owner, indexes, others, seeds, neighbours)
            for index, address in own:
                yield address, Candidates(owner.name, index, (owner.name, *lists[index]))


def _dealt(
    owner: Server,
    indexes: Sequence[int],
    others: Sequence[Server],
    seeds: Mapping[str, int],
    neighbours: int,
) -> dict[int, list[str]]:
    """Return the neighbours of each of a server's VIPs, dealt in turns."""
    bids = {index: _by_bid(owner, index, others, seeds) for index in indexes}
    lists: dict[int, list[str]] = {index: [] for index in indexes}
    for _turn in range(min(neighbours, len(others))):
        used: Counter[str] = Counter()
        for index in indexes:
            taken = lists[index]
            best, least = "", HIGHEST_COUNT
            for name in bids[index]:
                if used[name] < least and name not in taken:
                    best, least = name, used[name]
                    if not least:
                        break
            taken.append(best)
            used[best] += 1
    return lists


def _by_bid(
    owner: Server, index: int, others: Sequence[Server], seeds: Mapping[str, int]
) -> list[str]:
    key = f"{owner.name}/{index}".encode()
    bids = [(-score(key, seeds[one.name], one.capacity_bps), one.name) for one in others]
    return [name for _bid, name in sorted(bids)]
