"""Several edges in memory that are servers of one network, and ask each other for real.

    def test() -> None:
        async def dialogue(site: MemorySite) -> None:
            site.network.origin("o", serving(b"film", "Cache-Control: max-age=10"))
            film = await site.edges["n1"].get("/film")
            assert film.body == b"film"

        run_site(topology, dialogue)

Each edge has a store of its own; requests between them are signed, sent, verified and answered by
the code that runs in production. `origin "o"` is a script, as in `memory_network`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.topology.coverage import CoverageTable
from headrace.topology.model import Topology
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import NO_VIEW, View
from headrace.upstream.peering import PeerSecrets
from tests.harness.breakable_store import SLICE, open_files, temporary_store
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.memory_network import ClientGone, MemoryNetwork, OriginConnection, Script
from tests.harness.virtual_time import run_virtually

LATENCY_S = 0.001
SECRETS = PeerSecrets((b"s" * 32,))


@dataclass(frozen=True, slots=True)
class MemorySite:
    """Edges by the names of their servers."""

    network: MemoryNetwork
    edges: dict[str, MemoryEdge]
    topology: Topology


def where(topology: Topology, name: str) -> str:
    """Return what the memory network calls a server."""
    return f"{topology.server(name).host}:80"


def answered_by(edge: MemoryEdge, address: str) -> Script:
    """Return a script that has an edge answer, as to a client of this address."""

    async def script(connection: OriginConnection) -> None:
        client = edge.client(address=address)
        while client.open:
            heard = await connection.request()
            exchange = client.ask(heard.head)
            try:
                await _passed_on(connection, exchange)
            except ClientGone:
                exchange.leave()
                raise

    return script


async def _passed_on(connection: OriginConnection, exchange: MemoryExchange) -> None:
    """Send a response as it comes. Raises ClientGone."""
    interims = sent = 0
    begun = False
    gone = asyncio.ensure_future(connection.gone())
    try:
        while True:
            for status, _fields in exchange.interims[interims:]:
                connection.send(f"HTTP/1.1 {status} Interim\r\n\r\n".encode())
            interims = len(exchange.interims)
            if exchange.head_read and not begun:
                begun = True
                connection.send(_head(exchange))
            if len(exchange.body) > sent:
                connection.send(_framed(exchange, exchange.body[sent:]))
                sent = len(exchange.body)
            if exchange.outcome:
                break
            await asyncio.wait({gone}, timeout=LATENCY_S)
            if gone.done():
                raise ClientGone
    finally:
        gone.cancel()
    if exchange.outcome != "complete":
        connection.reset()
        raise ClientGone
    if exchange.framing == "chunked":
        connection.send(b"0\r\n\r\n")


def _head(exchange: MemoryExchange) -> bytes:
    lines = [f"HTTP/1.1 {exchange.status} Answer"]
    lines += [f"{name}: {value}" for name, value in exchange.field_lines]
    names = {name.lower() for name, _value in exchange.field_lines}
    kind, _space, length = exchange.framing.partition(" ")
    if kind == "length" and "content-length" not in names:
        lines.append(f"Content-Length: {length}")
    elif kind == "chunked":
        lines.append("Transfer-Encoding: chunked")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _framed(exchange: MemoryExchange, piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if exchange.framing == "chunked" else piece


def run_site(
    topology: Topology,
    dialogue: Callable[[MemorySite], Awaitable[None]],
    *,
    view: View = NO_VIEW,
    ahead_s: Mapping[str, float] = {},
    **document: Any,
) -> None:
    """Run a dialogue with an edge for each server of a network, and check that nothing is left.
    `ahead_s` is by how much the clocks of some are ahead.
    """

    async def run(stack: contextlib.ExitStack) -> None:
        async with MemoryNetwork() as network:
            edges = {}
            for server in topology.servers:
                store = stack.enter_context(temporary_store())
                paths.append(store.path)
                edge = MemoryEdge(
                    network, store, _document(server.name, document), set(), None,
                    ahead_s=ahead_s.get(server.name, 0.0),
                )  # fmt: skip
                store._clock = edge.context.now  # purges are dated
                edges[server.name] = edge
                edge.context.use_secrets(None, SECRETS)
                coverage = CoverageTable(topology)
                edge.context.adopt_network(NetworkSnapshot(topology, "1", coverage), view)
                network.origin(where(topology, server.name), answered_by(edge, str(server.ipv4[0])))
            await dialogue(MemorySite(network, edges, topology))
            for edge in edges.values():
                for client in edge._clients:
                    for exchange in client.exchanges:
                        exchange.leave()
            for edge in edges.values():
                await edge.settle()
            await asyncio.sleep(0)
            for edge in edges.values():
                edge._check_nothing_is_left()
                edge.context.stop()
                edge.close_files()
            await asyncio.sleep(0)
            assert not network.open_streams, "a connection is left"

    paths: list[Path] = []
    with contextlib.ExitStack() as stack:
        run_virtually(run(stack))
        gc.collect()
        assert not [left for path in paths for left in open_files(path)]


def _document(name: str, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "cache_dir": "/c",
        "listen": [{"address": "127.0.0.1:1"}],
        "node_id": name,
        "network": {"file": "/network.toml", "server": name, "cdn_name": "net"},
        "store": {"slice": SLICE},
        "service": [{"name": "s", "hosts": ["*"], "origins": ["http://o"]}],
        **more,
    }
