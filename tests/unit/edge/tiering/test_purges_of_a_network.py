"""After a purge at a server, its clients never get what was there before, whichever server had it.

Random schedules: servers of a site and a mid site with clocks that differ, an origin whose content
changes with each purge and that takes its time, clients everywhere at any moment.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import pytest

from headrace.cache.key import without_scheme
from headrace.topology.model import StoreBy
from tests.harness.breakable_store import SLICE
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.memory_network import OriginConnection
from tests.harness.memory_site import MemorySite, run_site
from tests.unit.edge.tiering.test_site import Believing, network

PATHS = ("/a", "/b", "/c")
SIZES = {"/a": 40, "/b": 5_000, "/c": 3 * SLICE + 77}


def body_of(path: str, version: int) -> bytes:
    return (b"%s %d " % (path.encode(), version) * SIZES[path])[: SIZES[path]]


@dataclass
class Content:
    """What the origin has now, and answers in its own time."""

    chance: random.Random
    versions: Counter[str] = field(default_factory=Counter)

    async def serve(self, connection: OriginConnection) -> None:
        chance = self.chance
        while True:
            heard = await connection.request()
            path = heard.target
            version = self.versions[path]
            body = body_of(path, version)
            if chance.random() < 0.3:
                await asyncio.sleep(chance.choice([0.0004, 0.003, 0.2, 0.7]))
            tag = f'"{path}-{version}"'
            fields = (
                f"ETag: {tag}\r\nCache-Control: max-age=600\r\nCache-Tag: {path[1:]}, every\r\n"
            )
            if heard.fields.get("if-none-match") == tag:
                connection.send(f"HTTP/1.1 304 Same\r\n{fields}\r\n".encode())
                continue
            status, found, where = "200 Whole", body, ""
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", heard.fields.get("range", ""))
            if wanted is not None and heard.fields.get("if-range", tag) == tag:
                start, last = int(wanted[1]), min(int(wanted[2] or len(body)), len(body) - 1)
                if start < len(body):
                    found, status = body[start : last + 1], "206 Part"
                    where = f"Content-Range: bytes {start}-{last}/{len(body)}\r\n"
            head = f"HTTP/1.1 {status}\r\n{fields}{where}Content-Length: {len(found)}\r\n\r\n"
            connection.send(head.encode())
            if heard.method == "HEAD":
                continue
            for at in range(0, len(found), 16384):
                connection.send(found[at : at + 16384])
                if chance.random() < 0.1:
                    await asyncio.sleep(chance.choice([0.0002, 0.1]))


@dataclass
class Asked:
    """A request that runs, and the oldest version that it may get."""

    name: str
    path: str
    floor: int
    exchange: MemoryExchange
    began_with: int

    async def check(self, content: Content) -> None:
        answer = await self.exchange.done()
        if answer.outcome in ("representation_lost", "origin_failed"):
            # Cut, as the client sees: what it began to get was replaced meanwhile.
            assert content.versions[self.path] > self.began_with, (self, answer.outcome)
            return
        assert answer.outcome == "complete", (self, answer.outcome)
        assert answer.status in (200, 206), (self, answer.status, answer.fields)
        version = int(answer.fields["etag"].strip('"').rpartition("-")[2])
        assert version >= self.floor, (self, version, answer.fields)
        body = body_of(self.path, version)
        if answer.status == 206:
            start, last = map(int, re.findall(r"\d+", answer.fields["content-range"])[:2])
            body = body[start : last + 1]
        method = "" if answer.request is None else answer.request.method
        assert answer.body == (b"" if method == b"HEAD" else body), self


class Schedule:
    """One run: what happens next is by chance."""

    def __init__(self, site: MemorySite, content: Content, chance: random.Random) -> None:
        self.site = site
        self.content = content
        self.chance = chance
        self.floors: dict[tuple[str, str], int] = {}
        self.running: list[Asked] = []

    def purge(self, *, soft: bool) -> None:
        """Change what the origin has; tell one server, or all, in some words."""
        chance, versions = self.chance, self.content.versions
        kind: Literal["url", "prefix", "tag", "all"] = chance.choice(
            ["url", "url", "prefix", "tag", "tag", "all"]
        )
        path = chance.choice(PATHS)
        hit: tuple[str, ...] = PATHS
        names = list(self.site.edges)
        for name in names if chance.random() < 0.3 else [chance.choice(names)]:
            edge = self.site.edges[name]
            key = without_scheme(edge.resource(path).key)
            value = {"url": key, "tag": path[1:].encode(), "all": b"", "prefix": key[:-1]}[kind]
            if kind in ("url", "tag"):
                hit = (path,)
            versions.update(hit)
            edge.purge(kind, value, soft=soft)
            for each in hit:
                self.floors[name, each] = versions[each]

    def ask(self) -> None:
        chance = self.chance
        name, path = chance.choice(list(self.site.edges)), chance.choice(PATHS)
        edge = self.site.edges[name]
        spans = [None, None, "0-9", f"{SIZES[path] // 2}-"]
        span = chance.choice(spans)
        method = "HEAD" if chance.random() < 0.15 else "GET"
        exchange = edge.begin(path, method=method, range=span if method == "GET" else None)
        floor = self.floors.get((name, path), 0)
        now = self.content.versions[path]
        self.running.append(Asked(name, path, floor, exchange, now))

    async def run(self, steps: int) -> None:
        chance = self.chance
        for _step in range(steps):
            if chance.random() < 0.25:
                await asyncio.sleep(0.0001)  # what comes before it does not come at the same moment
                self.purge(soft=chance.random() < 0.3)
                await asyncio.sleep(0.0001)
            else:
                self.ask()
            if chance.random() < 0.6:
                await asyncio.sleep(chance.choice([0.0001, 0.0003, 0.002, 0.03, 0.3, 5.0]))
            if chance.random() < 0.2:
                await self.check()
        await self.check()

    async def check(self) -> None:
        for asked in self.running:
            await asked.check(self.content)
        self.running.clear()


@pytest.mark.parametrize("store", list(StoreBy))
@pytest.mark.parametrize("seed", range(12))
def test_no_client_gets_what_its_server_was_told_is_purged(seed: int, store: StoreBy) -> None:
    chance = random.Random(f"{seed} {store}")
    topology = network(store)
    ahead_s = {server.name: chance.choice([0.0, 0.0, -7.3, 4.0001]) for server in topology.servers}
    content = Content(chance)

    async def dialogue(site: MemorySite) -> None:
        site.network.origin("o", content.serve)
        if seed % 4 == 3:
            for edge in site.edges.values():
                tiering = edge.context.tiering
                assert tiering is not None
                believing = Believing(topology, chance, steady=seed % 8 == 3)
                tiering._placement = believing  # type: ignore[assignment]
        await Schedule(site, content, chance).run(60)

    run_site(topology, dialogue, ahead_s=ahead_s)
