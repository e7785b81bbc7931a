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
    comes after all others that serve.
    """
    good: list[Offer] = []
    spare: list[Offer] = []
    later: list[Offer] = []
    belongs = ""
    shared = False
    for rank in ranks:
        shares = rank.shares
        if len(shares) > 1:
            shared = True
            shares = tuple(by_score(network, shares))
        for share in shares:
            if share.keeps < 1.0:
                shared = True
                if not keeps(network, share.seed, share.keeps):
                    later.append((share, rank.reason))
                    continue
            if share.weight and not belongs:
                belongs = share.site.name
            found = levels[share.site.name]
            if found is Level.GOOD and share.weight:
                good.append((share, rank.reason))
            elif found is not Level.DEAD:
                spare.append((share, rank.reason))
        if len(good) >= most:
            break
    for share, reason in later:
        level = levels[share.site.name]
        if level is Level.GOOD:
            good.append((share, reason))
            belongs = belongs or share.site.name
        elif level is not Level.DEAD:
            spare.append((share, reason))
    external = any(
        share.site.kind is SiteKind.EXTERNAL for offers in (good, spare) for share, _why in offers
    )
    return Order(tuple(good[:most]), tuple(spare[:most]), belongs, shared, external)
