"""Pulls the reports of servers and routers, each once in an interval, over connections that stay.

What a node says is taken whole or refused whole; what is refused is counted by its kind, and
changes nothing: the report before stays, and grows old.
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from headrace.feedback.observation import NodeReport, Outcome
from headrace.feedback.observe.small_request import IdleSockets, Place, Result, SmallRequest
from headrace.http.origin_url import OriginUrl, parse_origin_url
from headrace.telemetry.load_report import LARGEST_BYTES, ReportError, decode_report
from headrace.topology.model import Topology

RESOLVE_AGAIN_S = 60.0
RESOLVE_S = 5.0
MOST_OPEN = 4096
MOST_RESOLVING = 16
FORGET_S = 600.0
"""A report that is so old says nothing to anybody."""

log = structlog.get_logger("headrace.feedback")


@dataclass(frozen=True, slots=True)
class Source:
    """A node that is asked: its name, and where its admin API is."""

    node: str
    url: str


@dataclass(frozen=True, slots=True)
class PullTimes:
    """How often, and how long: see `[reports]`. Older reports than `oldest_s` are refused."""

    interval_s: float = 1.0
    timeout_s: float = 0.8
    oldest_s: float = 10.0


@dataclass(slots=True)
class _Known:
    """What is known of a source: where it is, and what it said last."""

    source: Source
    url: OriginUrl
    request: bytes
    address: str | None
    resolve_at_s: float = 0.0
    report: NodeReport | None = None
    at_s: float = 0.0
    problem: str = ""


def sources_of(topology: Topology) -> tuple[Source, ...]:
    """Return the servers that say where their admin API is."""
    return tuple(Source(one.name, one.admin_url) for one in topology.servers if one.admin_url)


class ReportPuller:
    """Pulls until `run` is cancelled. `sources` may be replaced at any time; `refused` counts by
    kind what brought no report.
    """

    def __init__(
        self, sources: Sequence[Source], token: str, times: PullTimes, ca: Path | None = None
    ) -> None:
        self.times = times
        self.refused: Counter[str] = Counter()
        self.taken = 0
        self._token = token
        self._ca = ca
        self._tls: ssl.SSLContext | None = None
        self._known: dict[str, _Known] = {}
        self._idle = IdleSockets()
        self._running: dict[str, SmallRequest] = {}
        self._resolving: dict[str, asyncio.Task[None]] = {}
        self.sources = tuple(sources)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The nodes that are asked."""
        return tuple(one.source for one in self._known.values())

    @sources.setter
    def sources(self, sources: Sequence[Source]) -> None:
        """Ask these from the next turn on; what others said is forgotten."""
        before, self._known = self._known, {}
        for source in sources:
            known = before.get(source.node)
            if known is None or known.source != source:
                known = self._new(source)
            self._known[source.node] = known
        self._idle.close()

    def _new(self, source: Source) -> _Known:
        url = parse_origin_url(source.url)
        request = (
            f"GET {url.prefix}/report HTTP/1.1\r\nHost: {url.authority}\r\n"
            f"Authorization: Bearer {self._token}\r\nUser-Agent: headrace-feedback\r\n"
            "Accept: application/json\r\n\r\n"
        ).encode()
        try:
            address: str | None = str(ipaddress.ip_address(url.host))
        except ValueError:
            address = None
        return _Known(source, url, request, address)

    def at(self, now_s: float) -> dict[str, NodeReport]:
        """Return the newest report of each node that ever gave one, with its age."""
        return {
            node: NodeReport(now_s - known.at_s, known.report.report)
            for node, known in self._known.items()
            if known.report is not None and now_s - known.at_s <= FORGET_S
        }

    async def run(self) -> None:
        """Pull until it is cancelled."""
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        try:
            while True:
                nodes = tuple(self._known)
                step_s = self.times.interval_s / max(1, len(nodes))
                for number, node in enumerate(nodes):
                    await asyncio.sleep(max(0.0, next_s + number * step_s - loop.time()))
                    self._begin_safely(node, loop)
                next_s = max(next_s + self.times.interval_s, loop.time())
                await asyncio.sleep(max(0.0, next_s - loop.time()))
        finally:
            for request in tuple(self._running.values()):
                request.cancel()
            for task in tuple(self._resolving.values()):
                task.cancel()
            self._running.clear()
            self._idle.close()

    def _begin_safely(self, node: str, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._begin(node, loop)
        except Exception:  # a fault of ours must not end the questions to all others
            request = self._running.pop(node, None)
            if request is not None:
                request.cancel()
            log.exception("report_not_pulled", node=node)

    def _begin(self, node: str, loop: asyncio.AbstractEventLoop) -> None:
        known = self._known.get(node)
        if known is None or node in self._running:
            return
        if len(self._running) >= _most_open():
            self._refuse(known, "no_descriptors", "too many requests run at once")
            return
        if not _is_literal(known.url.host) and loop.time() >= known.resolve_at_s:
            self._resolve(known, loop)
        if known.address is None:
            return
        secure = known.url.scheme == "https"
        place = Place(
            known.address,
            known.url.port,
            self._context() if secure else None,
            known.url.host if secure else None,
        )
        body = bytearray()
        request = SmallRequest(
            place,
            known.request,
            body.extend,
            lambda result: self._ended(known, body, result, loop.time()),
            largest_bytes=LARGEST_BYTES,
            idle=self._idle,
        )
        self._running[node] = request
        request.start(self.times.timeout_s)

    def _ended(self, known: _Known, body: bytearray, result: Result, now_s: float) -> None:
        node = known.source.node
        self._running.pop(node, None)
        if self._known.get(node) is not known:
            return
        if result.outcome is not Outcome.OK:
            self._refuse(known, _kind_of(result), f"{known.source.url}: {_said(result)}")
            return
        try:
            report = decode_report(body, node=node, oldest_s=self.times.oldest_s)
        except ReportError as error:
            self._refuse(known, error.kind, f"{known.source.url}: {error}")
            return
        self.taken += 1
        known.report, known.at_s = NodeReport(0.0, report), now_s
        if known.problem:
            known.problem = ""
            log.info("node_reports_again", node=node)

    def _refuse(self, known: _Known, kind: str, problem: str) -> None:
        self.refused[kind] += 1
        if known.problem != kind:
            known.problem = kind
            log.warning("report_refused", node=known.source.node, kind=kind, problem=problem)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            ca = None if self._ca is None else str(self._ca)
            self._tls = ssl.create_default_context(cafile=ca)
        return self._tls

    # Names.

    def _resolve(self, known: _Known, loop: asyncio.AbstractEventLoop) -> None:
        node = known.source.node
        if node in self._resolving or len(self._resolving) >= MOST_RESOLVING:
            return

        async def resolve() -> None:
            try:
                async with asyncio.timeout(RESOLVE_S):
                    found = await loop.getaddrinfo(
                        known.url.host, known.url.port, type=socket.SOCK_STREAM
                    )
                known.address = str(found[0][4][0])
                known.resolve_at_s = loop.time() + RESOLVE_AGAIN_S
            except (OSError, TimeoutError, UnicodeError) as error:
                known.resolve_at_s = loop.time() + RESOLVE_S
                self._refuse(known, "unresolved", f"{known.url.host}: {error!r}")
            finally:
                self._resolving.pop(node, None)

        self._resolving[node] = loop.create_task(resolve())


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _kind_of(result: Result) -> str:
    if result.status == 401:
        return "unauthenticated"
    return "own_fault" if result.outcome is None else result.outcome.value


def _said(result: Result) -> str:
    if result.status == 401:
        return "it does not know the token: use the one of its admin.token_file"
    if result.outcome is Outcome.STATUS:
        return f"it answered {result.status}"
    return "this machine could not ask" if result.outcome is None else result.outcome.value


def _most_open() -> int:
    """Return how many requests may run at once: the descriptors are not theirs alone."""
    return min(MOST_OPEN, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
