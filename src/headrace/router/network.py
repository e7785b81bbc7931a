"""The network as a worker of the router works by it: the routing, and what each class is prepared
for. Made again, whole, whenever the description or the view changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from headrace.http.serializer import status_line
from headrace.router.places import base_url
from headrace.router.tallies import Count, Tallies, Tally
from headrace.routing.decide import Routing
from headrace.routing.question import Candidate, Question
from headrace.topology.classify import Classes
from headrace.topology.geo import Places
from headrace.topology.model import ContentClass
from headrace.topology.placement import Placement
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View


@dataclass(slots=True, eq=False)
class Place:
    """A candidate, prepared. `base` is its base URL (None: the client cannot go there) and `head`
    all of a redirect up to where the path comes.
    """

    base: str | None
    head: bytes
    tally: Tally


@dataclass(slots=True, eq=False)
class ClassPlaces:
    """The places of one class that were needed so far, by their server's or external site's name:
    for clients without TLS and for those with.

    `tail` is what comes behind the path in a redirect, as of `second`.
    """

    content: ContentClass
    tallies: Tallies
    known: tuple[dict[str, Place], dict[str, Place]] = field(default_factory=lambda: ({}, {}))
    tail: bytes = b""
    second: int = -1
    status: int = 0

    def __post_init__(self) -> None:
        self.status = int(self.content.redirect)

    def place(self, candidate: Candidate, *, secure: bool) -> Place:
        """Return where a candidate is."""
        known = self.known[secure]
        name = candidate.site.name if candidate.server is None else candidate.server.name
        place = known.get(name)
        if place is None:
            base = base_url(candidate, self.content, secure=secure)
            head = (
                b""
                if base is None
                else b"%sLocation: %s" % (status_line(self.status), base.encode())
            )
            place = known[name] = Place(base, head, self.tallies.of(candidate, self.content))
        return place


@dataclass(slots=True, eq=False)
class Way:
    """A redirect to a place, but for what is asked for. `head` is all of it up to there, `count`
    where it is counted.
    """

    head: bytes
    place: Place
    places: ClassPlaces
    count: Count


class RouterNetwork:
    """One description under one view. What has not changed since `former` is taken from it.

    `first`, `straight`, `decide` and `alike` are the routing's. `classes` find the class of a
    request; `known` are those that they remember, and `places` those of each class, by its name.
    `site_of_pathway` has the site of whatever can be a pathway for players: each site and server.
    """

    def __init__(
        self,
        network: NetworkSnapshot,
        view: View,
        tallies: Tallies,
        geo: Places | None = None,
        former: RouterNetwork | None = None,
    ) -> None:
        topology = network.topology
        self.version = network.version
        self.topology = topology
        self.view = view
        same = former is not None and former.topology is topology
        self.classes: Classes = former.classes if former and same else Classes(topology.classes)
        self.known = self.classes.known
        self.placement: Placement = Placement(
            topology, view, former.placement if former else None, network.rings
        )
        if former is None:
            self.placement.prepare()  # no client waits for it yet
        self.routing = Routing(topology, self.placement, network.coverage, geo, view)
        self.first, self.decide = self.routing.first, self.routing.decide
        self.alike, self.straight = self.routing.alike, self.routing.straight
        self.places = {each.name: ClassPlaces(each, tallies) for each in topology.classes}
        self._orders = {
            (coverage.name, choice.site): choice.order
            for coverage in topology.coverage
            for choice in coverage.sites
        }

        self.site_of_pathway = {site.name: site.name for site in topology.sites} | {
            server.name: server.site for server in topology.servers
        }

    def keep(self, question: Question, first: Candidate, way: Way) -> None:
        """Keep the way to the first candidate of a question, for all who go there straight."""
        straight = self.straight(question.client, question.content, question.secure)
        if straight is not None and first.server is not None:
            straight.made[first.server.name] = way

    def steps(self) -> Iterator[None]:
        """Work out in steps where everything is, so that no question has to wait for it."""
        return self.placement.steps()

    def order(self, coverage: str, site: str) -> int:
        """Return the order of a site in a coverage; one behind all others where it is not in it."""
        return self._orders.get((coverage, site), 1 << 30)
