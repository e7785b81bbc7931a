"""DNS messages for tests, made and read with dnspython: the answerer's oracle."""

from __future__ import annotations

import itertools
from ipaddress import IPv4Address
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rdatatype

from headrace.config.router.dns import Dns
from headrace.router.dns.answer import Answerer
from headrace.router.dns.cookies import Cookies
from headrace.router.dns.decided import Decides
from headrace.router.dns.zones import Zones
from headrace.router.tallies import Tallies
from headrace.telemetry.metrics import WorkerMetrics
from headrace.topology.model import Topology
from headrace.topology.view import NO_VIEW, View
from tests.harness.dns_server import dns_config, dns_network, routing_of

CLIENT = IPv4Address("192.0.2.7").packed
NOW_S = 1_800_000_000
SECRET = b"sixteen bytes or more"

_numbers = itertools.count(4_711)


class Asked:
    """An answerer over a small network, asked with names, answering with dnspython's messages."""

    def __init__(
        self,
        config: Dns | None = None,
        topology: Topology | None = None,
        *,
        view: View = NO_VIEW,
        routing: Decides | None = None,
    ) -> None:
        self._metrics = WorkerMetrics()
        self._tallies = Tallies()
        config = config or dns_config()
        topology = topology or dns_network()
        self.answerer = Answerer(
            config,
            Zones(config, topology),
            routing or routing_of(topology, view),
            Cookies([SECRET]),
            self._metrics,
            self._tallies,
        )

    @property
    def metrics(self) -> WorkerMetrics:
        """What was counted."""
        self.answerer.note_counts()
        self._tallies.add_to(self._metrics)
        return self._metrics

    def raw(
        self, data: bytes, client: bytes = CLIENT, now_s: int = NOW_S, *, udp: bool = True
    ) -> bytes | None:
        """Return the answer to some bytes."""
        return self.answerer.answer(data, client, now_s, udp=udp)

    def ask(
        self,
        name: str,
        kind: str = "A",
        *,
        subnet: str = "",
        client: bytes = CLIENT,
        udp: bool = True,
        **more: Any,
    ) -> dns.message.Message:
        """Return the answer to a question, which there must be."""
        data = query(name, kind, subnet=subnet, **more)
        answer = self.raw(data, client, udp=udp)
        assert answer is not None
        message = dns.message.from_wire(answer)
        assert message.id == dns.message.from_wire(data).id
        assert message.flags & dns.flags.QR
        return message


def query(name: str, kind: str = "A", *, subnet: str = "", **more: Any) -> bytes:
    """Return a query; with a subnet (`192.0.2.0/24`) or `options` it speaks EDNS. Each has a
    number of its own, the same in each run: tests are named by queries.
    """
    options = list(more.pop("options", []))
    if subnet:
        address, _, length = subnet.partition("/")
        options.append(dns.edns.ECSOption(address, int(length)))
    if options:
        more.setdefault("use_edns", 0)
        more["options"] = options
    more.setdefault("id", next(_numbers) % 65536)
    return dns.message.make_query(name, kind, **more).to_wire()


def option(code: int, data: bytes) -> dns.edns.Option:
    """Return an option of any bytes."""
    return dns.edns.GenericOption(dns.edns.OptionType.make(code), data)


def values(message: dns.message.Message, kind: str = "") -> list[str]:
    """Return the data of a message's answers, in order; of one type only if it is named."""
    wanted = dns.rdatatype.from_text(kind) if kind else None
    return [
        data.to_text()
        for records in message.answer
        if wanted is None or records.rdtype == wanted
        for data in records
    ]


def subnet_of(message: dns.message.Message) -> dns.edns.ECSOption | None:
    """Return the client subnet of an answer."""
    return next((each for each in message.options if isinstance(each, dns.edns.ECSOption)), None)


def cookie_of(message: dns.message.Message) -> bytes:
    """Return the cookie of an answer; b"" where it has none."""
    for option in message.options:
        if option.otype == dns.edns.OptionType.COOKIE:
            return option.to_wire() or b""
    return b""
