"""Ranks by where a client is: its country's sites, its continent's, then the others by distance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.reasons import Reason
from headrace.routing.sites import Rank, Share
from headrace.topology.geo import Place
from headrace.topology.nearest import distance_km

EQUALLY_NEAR_KM = 100.0
"""Sites that are so much farther than the nearest one share its clients by weight: where an
address is, is not known any better."""


def ranks_near(ranks: Sequence[Rank], place: Place) -> tuple[Rank, ...]:
    """Return ranks split by what is known of the client's place; they keep their order. Who is
    passed on from the nearest site goes where the view says."""
    return tuple(
        near for rank in ranks for near in ((rank,) if rank.passed_on else _split(rank, place))
    )


def _split(rank: Rank, place: Place) -> Iterator[Rank]:
    country: list[Share] = []
    continent: list[Share] = []
    others: list[Share] = []
    for share in rank.shares:
        if place.country and share.site.country == place.country:
            country.append(share)
        elif place.continent and share.site.continent == place.continent:
            continent.append(share)
        else:
            others.append(share)
    yield from _by_distance(country, place, Reason.BY_COUNTRY, Reason.BY_COUNTRY)
    yield from _by_distance(continent, place, Reason.BY_CONTINENT, Reason.BY_CONTINENT)
    yield from _by_distance(others, place, Reason.BY_DISTANCE, rank.reason)


def _by_distance(
    shares: list[Share], place: Place, reason: Reason, unknown: Reason
) -> Iterator[Rank]:
    """Yield ranks from the nearest to the farthest, then the sites of unknown places."""
    placed: list[tuple[float, Share]] = []
    elsewhere: list[Share] = []
    for share in shares:
        away_km = kilometres_to(share, place)
        if away_km is None:
            elsewhere.append(share)
        else:
            placed.append((away_km, share))
    placed.sort(key=lambda pair: pair[0])
    while placed:
        limit = placed[0][0] + EQUALLY_NEAR_KM
        near = [share for away_km, share in placed if away_km <= limit]
        yield Rank(tuple(near), reason)
        placed = placed[len(near) :]
    if elsewhere:
        yield Rank(tuple(elsewhere), unknown)


def kilometres_to(share: Share, place: Place) -> float | None:
    """Return how far a site is (None: either place is not known)."""
    site = share.site
    if (
        place.latitude is None
        or place.longitude is None
        or site.latitude is None
        or site.longitude is None
    ):
        return None
    return distance_km(place.latitude, place.longitude, site.latitude, site.longitude)
