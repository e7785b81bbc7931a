"""Who asks whom for what, in order: a function of a seed. Nothing here knows an edge."""

from __future__ import annotations

import enum
import itertools
import random
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from headrace.topology.classify import Classes
from headrace.topology.model import Topology
from headrace.topology.placement import Placement


class Arrangement(enum.Enum):
    """How requests come to servers, and whether those ask each other; the values are names."""

    NEITHER = "neither"
    ROUTING = "consistent routing"
    BOTH = "consistent routing and tiering"
    TIERING = "tiering alone"

    @property
    def routes(self) -> bool:
        """Whether clients are sent to the owner of what they want."""
        return self in (Arrangement.ROUTING, Arrangement.BOTH)

    @property
    def tiers(self) -> bool:
        """Whether servers ask each other."""
        return self in (Arrangement.BOTH, Arrangement.TIERING)


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is asked for. The first `warm_up` requests only fill the stores.

    `astray` is the share of requests that come to any other server than the one that clients are
    sent to: a player that stays where it is, a name that is remembered, a server that is full.
    """

    objects: int
    requests: int
    warm_up: int
    alpha: float = 0.9
    astray: float = 0.2
    body_bytes: int = 8192


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the number of an object, and the name of the server that gets it."""

    number: int
    server: str


class Known:
    """The objects that somebody has asked for."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()

    def noted(self, asked: Iterator[Request]) -> Iterator[Request]:
        """Return the same requests, taking account of each as it is taken."""
        for request in asked:
            self.numbers.add(request.number)
            yield request


def path_of(number: int) -> str:
    """Return an object's path."""
    return f"/objects/{number}"


def requests(
    scale: Scale, arrangement: Arrangement, topology: Topology, host: bytes, seed: int
) -> Iterator[Request]:
    """Return all requests, in order. Objects are the same in all arrangements of a seed."""
    objects, places = random.Random(seed), random.Random(f"{seed} places")
    weights = [(rank + 1) ** -scale.alpha for rank in range(scale.objects)]
    sums = list(itertools.accumulate(weights))
    numbers = list(range(scale.objects))
    objects.shuffle(numbers)
    names = [server.name for server in topology.servers]
    site = topology.servers[0].site
    classes = Classes(topology.classes, topology.servers)
    placement = Placement(topology)
    for _ in range(scale.requests):
        number = numbers[min(bisect(sums, objects.random() * sums[-1]), scale.objects - 1)]
        astray = places.random() < scale.astray
        anywhere = places.random()
        if not arrangement.routes:
            yield Request(number, names[int(anywhere * len(names))])
            continue
        found = classes.of(host, path_of(number).encode())
        assert found is not None
        owner = placement.owners(site, found.content, found.shard).servers[0].name
        others = [name for name in names if name != owner]
        yield Request(number, others[int(anywhere * len(others))] if astray else owner)
