"""Asks servers that announce VIPs whether they announce their own: one that does not is named to
clients no more, for its neighbours would serve them.

A server says it of itself, over BGP sessions that are up. One whose process for VIPs is gone says
nothing: that is believed when connections are refused for a while, and another server of its site
says that it announces one of its VIPs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import structlog

from headrace.feedback.observation import VipsHeard
from headrace.node.network.signed import Secrets
from headrace.node.network.signed_client import NoAnswer, SignedClient
from headrace.topology.announced_document import LARGEST_BYTES, PATH, Said, SaidError, decode_said
from headrace.topology.model import AdminState, Server, Topology

INTERVAL_S = 2.0
WITHIN_S = 1.5
MOST_AT_ONCE = 64
FRESH_S = 10.0
GONE_S = 10.0
"""For so long connections are refused before a process is taken for gone: longer than a restart."""

Address = IPv4Address | IPv6Address

log = structlog.get_logger("headrace.feedback")


@dataclass(slots=True)
class _Known:
    """What is known of a server, by the clock that only counts on. `said_s` is when it was asked
    for what it said last, `announces` what of the description's VIPs it announced then (None: it
    has said nothing yet); `away_s` since when none of its own is (None: one is); `refused_s` since
    when nothing listens (None: something does).
    """

    announces: frozenset[Address] | None = None
    said_s: float = 0.0
    asked_s: float = 0.0
    away_s: float | None = None
    refused_s: float | None = None
    problem: str = ""


def asked_of(topology: Topology) -> tuple[Server, ...]:
    """Return the servers that announce VIPs and say where they can be asked."""
    return tuple(
        one
        for one in topology.servers
        if one.vips and one.vip_listener_url and one.state is not AdminState.WITHDRAWN
    )


class VipsAsking:
    """Asks until `run` is cancelled. `servers` may be replaced at any time."""

    def __init__(self, secrets: Callable[[], Secrets]) -> None:
        self._secrets = secrets
        self._servers: tuple[Server, ...] = ()
        self._vips: frozenset[Address] = frozenset()
        self._known: dict[str, _Known] = {}

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers that are asked."""
        return self._servers

    @servers.setter
    def servers(self, servers: tuple[Server, ...]) -> None:
        """Ask these from the next round on; what others said is forgotten."""
        self._servers = servers
        self._vips = frozenset(each for one in servers for each in _own(one))
        self._known = {one.name: self._known.get(one.name, _Known()) for one in servers}

    def at(self, now_s: float) -> dict[str, VipsHeard]:
        """Return what is known of each server of which anything is."""
        return {
            name: VipsHeard(
                max(0.0, now_s - one.asked_s),
                0.0 if one.away_s is None else max(0.0, now_s - one.away_s),
            )
            for name, one in self._known.items()
            if one.announces is not None
        }

    async def run(self) -> None:
        """Ask until it is cancelled."""
        client = SignedClient.open(LARGEST_BYTES)
        limit = asyncio.Semaphore(MOST_AT_ONCE)
        loop = asyncio.get_running_loop()
        try:
            while True:
                began_s = loop.time()
                await asyncio.gather(*(self._ask(client, limit, one) for one in self._servers))
                self.note_gone(loop.time())
                await asyncio.sleep(max(0.0, INTERVAL_S - (loop.time() - began_s)))
        finally:
            await client.close()

    async def _ask(self, client: SignedClient, limit: asyncio.Semaphore, server: Server) -> None:
        async with limit:
            asked_s = asyncio.get_running_loop().time()
            try:
                url, secrets = server.vip_listener_url, self._secrets()
                data = await client.ask(url, PATH, secrets, WITHIN_S)
                self.heard(server, decode_said(data or b"", server.name), asked_s)
            except NoAnswer as error:
                self.unheard(server, str(error), asked_s, refused=error.kind == "refused")
            except SaidError as error:
                self.unheard(server, str(error), asked_s)
            except Exception:  # a fault of ours must not end the questions to all others
                log.exception("vips_not_asked", server=server.name)

    def heard(self, server: Server, said: Said, asked_s: float) -> None:
        """Take what a server said of itself, asked at a time. Raises SaidError."""
        announces = said.addresses & self._vips  # whatever else it says is not kept
        known = self._known.get(server.name)
        if known is None:
            return
        known.announces, known.said_s, known.asked_s = announces, asked_s, asked_s
        known.refused_s = None
        if not announces.isdisjoint(_own(server)):
            known.away_s = None
        elif known.away_s is None:
            known.away_s = asked_s
        if known.problem:
            known.problem = ""
            log.info("vips_asked_again", server=server.name)

    def unheard(self, server: Server, problem: str, asked_s: float, refused: bool = False) -> None:
        """Note that a server did not say anything; `refused`: it says itself that nobody listens.
        What it said before stays, and grows old.
        """
        known = self._known.get(server.name)
        if known is None:
            return
        if not refused:
            known.refused_s = None
        elif known.refused_s is None:
            known.refused_s = asked_s
        if not known.problem:
            log.warning("vips_not_heard", server=server.name, problem=problem)
        known.problem = problem

    def note_gone(self, now_s: float) -> None:
        """Take those for away whose process is gone, and whose VIPs another one announces."""
        for server in self._servers:
            known = self._known.get(server.name)
            if known is None or known.announces is None or known.refused_s is None:
                continue
            own = _own(server)
            if now_s - known.refused_s >= GONE_S and any(
                not said.isdisjoint(own) for said in self._neighbours(server, now_s)
            ):
                known.asked_s = now_s
                if known.away_s is None:
                    known.away_s = known.refused_s

    def _neighbours(self, server: Server, now_s: float) -> Iterator[frozenset[Address]]:
        """Yield what the other servers of a site have said lately that they announce."""
        for other in self._servers:
            if other.site != server.site or other.name == server.name:
                continue
            known = self._known.get(other.name)
            if known is None or known.announces is None:
                continue
            if now_s - known.said_s <= FRESH_S:
                yield known.announces


def _own(server: Server) -> set[Address]:
    return {address for vip in server.vips for address in vip.addresses}
