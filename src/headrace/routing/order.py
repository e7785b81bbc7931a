"""The order in which sites are offered to a client: rank by rank, in a rank by rendezvous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from headrace.reasons import Reason
from headrace.routing.rendezvous import by_score, keeps
from headrace.routing.sites import Level, Rank, Share
from headrace.topology.model import SiteKind

Offer = tuple[Share, Reason]
"""A site, and why it is offered."""

_NOBODY = frozenset[str]()


class Order(msgspec.Struct, frozen=True):
    """The sites for a client, those that serve new clients apart from those for whom nobody else
    does (`spare`). `belongs` is the site of the client when everything serves; `shared`: the
    client's network counted, beside the ranks; `external`: there are external ones among them.
    """

    good: tuple[Offer, ...]
    spare: tuple[Offer, ...]
    belongs: str
    shared: bool
    external: bool


def order_sites(
    ranks: Sequence[Rank], network: bytes, levels: Mapping[str, Level], most: int
) -> Order:
    """Return the first sites for a network and class, at least `most` good ones if there are.

    A site of weight 0 gets clients only when no other does. One that does not keep this client
    comes after all others that serve; where it is the first, those who take its clients come first.
    """
    good: list[Offer] = []
    spare: list[Offer] = []
    later: list[Offer] = []
    belongs = ""
    shared = False
    takers: Rank | None = None
    taken: frozenset[str] = _NOBODY
    for rank in ranks:
        shares = rank.shares
        if rank.passed_on:
            takers = rank
            continue
        if len(shares) > 1:
            shared = True
            shares = tuple(by_score(network, shares))
        for share in shares:
            name = share.site.name
            found = levels[name]
            if share.keeps < 1.0:
                shared = True
                if not keeps(network, share.seed, share.keeps):
                    later.append((share, rank.reason))
                    if takers is not None and not good and found is Level.GOOD:
                        belongs = _pass_on(takers, network, levels, good, spare) or belongs
                        taken = frozenset(one.site.name for one in takers.shares)
                    continue
            if name in taken:
                continue
            if share.weight and not belongs:
                belongs = name
            if found is Level.GOOD and share.weight:
                good.append((share, rank.reason))
            elif found is not Level.DEAD:
                spare.append((share, rank.reason))
        if len(good) >= most:
            break
    for offer in later:
        name = offer[0].site.name
        if levels[name] is Level.GOOD:
            good.append(offer)
            belongs = belongs or name
        elif levels[name] is not Level.DEAD:
            spare.append(offer)
    external = any(
        share.site.kind is SiteKind.EXTERNAL for offers in (good, spare) for share, _why in offers
    )
    return Order(tuple(good[:most]), tuple(spare[:most]), belongs, shared, external)


def _pass_on(
    takers: Rank,
    network: bytes,
    levels: Mapping[str, Level],
    good: list[Offer],
    spare: list[Offer],
) -> str:
    """Put those first that take the clients whom their nearest site passes on. Return whose such a
    client is when all serve."""
    ordered = by_score(network, takers.shares)
    for share in ordered:
        found = levels[share.site.name]
        if found is Level.GOOD:
            good.append((share, takers.reason))
        elif found is Level.SPARE:
            spare.append((share, takers.reason))
    return ordered[0].site.name
