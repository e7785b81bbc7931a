"""Edges that ask each other for real, also when they disagree about who owns what."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest

from headrace.topology.model import ContentClass, Server, Site, SiteKind, StoreBy, Topology
from headrace.topology.placement import Owners
from headrace.upstream.errors import Failure
from tests.harness.memory_network import serving
from tests.harness.memory_site import MemorySite, run_site, where
from tests.harness.networks import a_server

BODY = bytes(range(256)) * 300
FRESH = ("Cache-Control: max-age=600", 'ETag: "a"')


def network(store: StoreBy = StoreBy.OWN, north: int = 3) -> Topology:
    sites = (Site("north", parents=("mid",)), Site("mid", SiteKind.MID))
    servers = [a_server(f"n{number}", "north", number) for number in range(1, north + 1)]
    servers += [a_server(f"m{number}", "mid", 20 + number) for number in (1, 2)]
    content = replace(ContentClass("all"), store=store, popular_after=2)
    return Topology((), sites, tuple(servers), (), (content,))


@dataclass
class Believing:
    """What one server believes at each moment: another order and width for each site."""

    topology: Topology
    chance: random.Random
    steady: bool

    def __post_init__(self) -> None:
        self._known: dict[tuple[str, bytes], Owners] = {}

    def owners(self, site: str, _content: ContentClass, shard: bytes) -> Owners:
        if not self.steady or (site, shard) not in self._known:
            there: list[Server] = list(self.topology.servers_of(site))
            self.chance.shuffle(there)
            self._known[site, shard] = Owners(tuple(there), self.chance.randint(1, 2))
        return self._known[site, shard]


def test_one_request_of_all_servers_comes_to_the_origin() -> None:
    topology = network()

    async def dialogue(site: MemorySite) -> None:
        site.network.origin("o", serving(BODY, *FRESH))
        for name in ("n1", "n2", "n3", "n1", "n2", "n3"):
            answer = await site.edges[name].get("/film")
            assert (answer.status, answer.body) == (200, BODY)
        hosts = [heard.host for heard in site.network.requests]
        assert hosts.count("o") == 1
        assert sum(bool(edge.stored("/film")) for edge in site.edges.values()) == 2  # owner, mid

    run_site(topology, dialogue)


@pytest.mark.parametrize("store", list(StoreBy))
@pytest.mark.parametrize("seed", range(15))
def test_servers_that_disagree_give_every_client_what_it_wants_and_never_go_in_circles(
    seed: int, store: StoreBy
) -> None:
    chance = random.Random(f"{seed} {store}")
    topology = network(store)

    async def dialogue(site: MemorySite) -> None:
        site.network.origin("o", serving(BODY, *FRESH))
        for edge in site.edges.values():
            tiering: Any = edge.context.tiering
            tiering._placement = Believing(topology, chance, steady=seed % 2 == 0)
        if seed % 5 == 4:
            site.network.fails(
                where(topology, chance.choice(["n1", "m1"])), Failure.CONNECT_REFUSED
            )
        began = asyncio.get_running_loop().time()
        asked = []
        for _request in range(12):
            edge = site.edges[chance.choice(["n1", "n2", "n3"])]
            asked.append(edge.begin(f"/film{chance.randrange(2)}"))
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() / 10)
        for answer in asked:
            await answer.done()
            assert (answer.status, answer.body, answer.outcome) == (200, BODY, "complete")
        assert asyncio.get_running_loop().time() - began < 2.0
        for heard in site.network.requests:
            way = [hop.split(" ")[-1] for hop in heard.fields["via"].split(", ")]
            assert len(way) == len(set(way)) <= 5, way
            assert heard.fields["cdn-loop"].count("net") == len(way)
            if heard.host == "o":
                assert not [name for name in heard.fields if name.startswith("headrace-")]

    run_site(topology, dialogue)


def test_a_purge_at_one_server_is_heeded_wherever_its_clients_copies_came_from() -> None:
    topology = network(StoreBy.ALWAYS)

    async def dialogue(site: MemorySite) -> None:
        site.network.origin("o", serving(BODY, *FRESH))
        for name in ("n1", "n2", "n3"):
            await site.edges[name].get("/film")
        await asyncio.sleep(5)
        site.network.origin("o", serving(b"new", "Cache-Control: max-age=600", 'ETag: "b"'))
        for edge in site.edges.values():
            edge.context.origin.idle.retain(())
        for name in ("n1", "n2", "n3"):
            edge = site.edges[name]
            edge.purge("url", edge.resource("/film").key)
            assert (await edge.get("/film")).body == b"new"

    run_site(topology, dialogue)
