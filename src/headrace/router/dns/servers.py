"""DNS in one worker: its sockets, and what they answer by. The router's worker owns one.

A new configuration is prepared (sockets opened, secrets read, zones made), then committed. A new
description or view of the network replaces what answers are made by, and all that was remembered.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from dataclasses import dataclass, field
from pathlib import Path

from headrace.config.addresses import TcpAddress, parse_address
from headrace.config.router.dns import Dns
from headrace.errors import HeadraceError
from headrace.router.dns.answer import Answerer
from headrace.router.dns.cookie_secrets import own_secrets, read_secrets
from headrace.router.dns.cookies import Cookies
from headrace.router.dns.decided import Decides
from headrace.router.dns.tcp import TcpConnections, TcpLimits, TcpServer, tcp_socket
from headrace.router.dns.udp import UdpServer, udp_socket
from headrace.router.dns.zones import Zones
from headrace.router.tallies import Tallies
from headrace.telemetry.metrics import WorkerMetrics
from headrace.topology.model import Topology


class DnsListenError(HeadraceError):
    """An address that DNS cannot be answered on."""


@dataclass(slots=True)
class Opened:
    """The two sockets of one address."""

    udp: socket.socket
    tcp: socket.socket

    def close(self) -> None:
        """Release the address."""
        self.udp.close()
        self.tcp.close()


@dataclass(slots=True)
class _Serving:
    udp: UdpServer
    tcp: TcpServer

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


class DnsServers:
    """All of DNS in one worker; nothing where the configuration has none."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, metrics: WorkerMetrics, tallies: Tallies
    ) -> None:
        self._loop = loop
        self._metrics = metrics
        self._tallies = tallies
        self._config: Dns | None = None
        self._cookies: Cookies | None = None
        self._network: tuple[Topology, Decides] | None = None
        self._serving: dict[str, _Serving] = {}
        self._connections: TcpConnections | None = None
        self._answerer: Answerer | None = None
        self._zones: tuple[Dns, Topology, Zones] | None = None

    def prepare(self, config: Dns | None, state_dir: Path) -> DnsChange:
        """Open what is new and read secrets; the node's own is in `state_dir`.

        Raises HeadraceError or OSError.
        """
        change = DnsChange(self, config)
        if config is None:
            return change
        path = config.cookie_secret_file
        change.cookies = Cookies(own_secrets(state_dir) if path is None else read_secrets(path))
        try:
            for text in config.listen:
                if text not in self._serving:
                    change.opened[text] = open_address(text)
        except HeadraceError:
            change.abandon()
            raise
        return change

    def adopt(self, change: DnsChange) -> None:
        """Work by a prepared configuration; addresses that it has not are closed."""
        config = self._config = change.config
        self._cookies = change.cookies
        wanted = () if config is None else config.listen
        for text in [text for text in self._serving if text not in wanted]:
            self._serving.pop(text).close()
        if config is None:
            if self._connections is not None:
                self._connections.close()
                self._connections = None
            return
        limits = TcpLimits(
            config.limits.connections, config.limits.connections_per_network, config.limits.idle_s
        )
        if self._connections is None:
            self._connections = TcpConnections(limits, self._loop, self._metrics)
        self._connections.limits = limits
        new = {
            text: _Serving(
                UdpServer(opened.udp, self._loop, self._metrics),
                TcpServer(opened.tcp, self._connections),
            )
            for text, opened in change.opened.items()
        }
        self._serving |= new
        if self._network is not None:
            self._answer_by_now()
            _serve(new)

    def adopt_network(self, topology: Topology, routing: Decides) -> None:
        """Answer by this network from now on; what is unchanged is the same object as before."""
        first = self._network is None
        self._network = (topology, routing)
        if self._config is not None:
            self._answer_by_now()
            if first:
                _serve(self._serving)

    def note_counts(self) -> None:
        """Add to the metrics what was counted aside."""
        if self._answerer is not None:
            self._answerer.note_counts()

    def close(self) -> None:
        """Release everything."""
        self.note_counts()
        for serving in self._serving.values():
            serving.close()
        self._serving = {}
        if self._connections is not None:
            self._connections.close()

    def _answer_by_now(self) -> None:
        assert self._config is not None
        assert self._cookies is not None
        assert self._network is not None
        assert self._connections is not None
        topology, routing = self._network
        zones = self._zones_of(self._config, topology)
        self.note_counts()
        self._answerer = answerer = Answerer(
            self._config, zones, routing, self._cookies, self._metrics, self._tallies
        )
        for serving in self._serving.values():
            serving.udp.answer = answerer.answer
        self._connections.answer = functools.partial(answerer.answer, udp=False)

    def _zones_of(self, config: Dns, topology: Topology) -> Zones:
        """Return the zones: those of before under a new view, for nothing in them is of the view,
        and making those of a large network takes long.
        """
        made = self._zones
        if made is None or made[0] is not config or made[1] is not topology:
            made = self._zones = (config, topology, Zones(config, topology))
        return made[2]


@dataclass(slots=True)
class DnsChange:
    """A new configuration with what it needs; one of the two is called, once."""

    servers: DnsServers
    config: Dns | None
    cookies: Cookies | None = None
    opened: dict[str, Opened] = field(default_factory=dict)

    def commit(self) -> None:
        """Work by it."""
        self.servers.adopt(self)

    def abandon(self) -> None:
        """Release what was opened for it."""
        for opened in self.opened.values():
            opened.close()


def check_free(config: Dns) -> None:
    """Check that nobody else has an address: workers share theirs with whoever of the same user
    shares too. Raises DnsListenError.
    """
    for text in config.listen:
        open_address(text, shared=False).close()


def open_address(text: str, *, shared: bool = True) -> Opened:
    """Open both sockets of an address. Raises DnsListenError."""
    address = parse_address(text)
    assert isinstance(address, TcpAddress)
    try:
        udp = udp_socket(address, shared=shared)
    except OSError as error:
        raise DnsListenError(_refused(text, "UDP", error)) from error
    try:
        return Opened(udp, tcp_socket(address, shared=shared))
    except OSError as error:
        udp.close()
        raise DnsListenError(_refused(text, "TCP", error)) from error


def _serve(serving: dict[str, _Serving]) -> None:
    for one in serving.values():
        one.udp.serve()
        one.tcp.serve()


def _refused(text: str, protocol: str, error: OSError) -> str:
    return (
        f"dns.listen: cannot answer on {text} over {protocol}: {error.strerror}: stop who uses it, "
        "choose another address, or run with CAP_NET_BIND_SERVICE for ports below 1024"
    )
