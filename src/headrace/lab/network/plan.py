"""What a lab consists of: its machines, each a network namespace, and the lines between them. Pure.

Every machine hangs on one line, which is called by the machine's name: a server's and a client's
leads to the ISP's router, all others', those of the ISPs' routers too, to the exchange.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headrace.config.lab.model import LabConfig, LineTable, SiteTable
from headrace.config.lab.vips import vip_numbers
from headrace.lab.network.addresses import (
    EXCHANGE_V4,
    EXCHANGE_V6,
    IspAddresses,
    Pair,
    at_exchange,
    default_route,
    isp_addresses,
)

PREFIX = "headrace."
EXCHANGE = "exchange"
UP_DEVICE = "up"
"""What the device of a machine's own line is called in it."""
USER = "nobody"
CLIENTS_BRIDGE = "clients"
EXCHANGE_BRIDGE = "exchange"


class Kind(enum.Enum):
    """What a machine is."""

    EXCHANGE = "exchange"
    ISP = "isp"
    CLIENT = "client"
    SERVER = "server"
    MID = "mid"
    ORIGIN = "origin"
    ROUTER = "router"
    OBSERVER = "observer"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the lab. `isp` and `site` are empty where it stands in none; `peer` is the ISP's
    router at the other end of a server's or a client's line.
    """

    name: str
    kind: Kind
    own: Pair
    isp: str = ""
    site: str = ""
    peer: Pair | None = None
    vips: tuple[tuple[str, str], ...] = ()

    @property
    def ipv4(self) -> str:
        """Return its own IPv4 address."""
        return self.own.ipv4

    @property
    def ipv6(self) -> str:
        """Return its own IPv6 address."""
        return self.own.ipv6


@dataclass(frozen=True, slots=True)
class Line:
    """A line from a machine up to another. `bridge` is what its upper end is a port of, if any;
    `upper_pair` are the addresses of the upper end where there is none.
    """

    machine: str
    upper: str
    upper_device: str
    table: LineTable
    bridge: str = ""
    upper_pair: Pair | None = None

    @property
    def slow(self) -> bool:
        """Return whether it delays or loses packets."""
        return self.table.delay_s > 0 or self.table.loss > 0


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a machine: a prefix, and by which address it leads there."""

    prefix: str
    via: str


@dataclass(frozen=True, slots=True)
class LabPlan:
    """A lab that could be built. `directory` is where all its files are. `speaker_user` is who
    speakers of BGP run as.
    """

    config: LabConfig
    directory: Path
    machines: dict[str, Machine]
    lines: dict[str, Line]
    isps: dict[str, IspAddresses] = field(default_factory=dict)
    speaker_user: str = USER

    @property
    def name(self) -> str:
        """Return the lab's name."""
        return self.config.name

    def namespace(self, machine: str) -> str:
        """Return the name of a machine's network namespace."""
        return f"{PREFIX}{self.name}.{machine}"

    def of(self, *kinds: Kind) -> list[Machine]:
        """Return the machines of these kinds, in order."""
        return [machine for machine in self.machines.values() if machine.kind in kinds]

    def site(self, name: str) -> SiteTable:
        """Return a site's table."""
        return next(site for site in self.config.sites if site.name == name)

    @property
    def names(self) -> list[str]:
        """Return every name that means something."""
        sites = [machine.site for machine in self.machines.values() if machine.site]
        return list(dict.fromkeys([*self.machines, *sites]))

    def group(self, name: str) -> list[Machine]:
        """Return the machines that a name means: a machine, all servers of a site, or all that
        stands in an ISP. Empty where it means nothing.
        """
        if name in self.isps:
            return [
                machine for machine in self.machines.values() if name in (machine.name, machine.isp)
            ]
        if name in self.machines:
            return [self.machines[name]]
        return [machine for machine in self.machines.values() if machine.site == name]

    def routes(self, machine: Machine) -> Iterator[Route]:
        """Yield what a machine knows beyond its own links. Routes to VIPs are not among them."""
        if machine.peer is not None:
            yield Route(default_route(ipv6=False), machine.peer.ipv4)
            yield Route(default_route(ipv6=True), machine.peer.ipv6)
        elif machine.kind is not Kind.EXCHANGE:
            for name, addresses in self.isps.items():
                if name != machine.name:
                    yield Route(str(addresses.ipv4), self.machines[name].ipv4)
                    yield Route(str(addresses.ipv6), self.machines[name].ipv6)


def make_plan(config: LabConfig, directory: Path, speaker_user: str = USER) -> LabPlan:
    """Return the plan of a topology."""
    shares = isp_addresses(len(config.isps))
    isps = {isp.name: shares[index] for index, isp in enumerate(config.isps)}
    plan = LabPlan(config, directory, {}, {}, isps, speaker_user)
    _add_exchange(plan)
    for isp in config.isps:
        _add_clients(plan, isp.name, isp.clients, isp.access)
        _add_servers(plan, isp.name)
    return plan


def _add(plan: LabPlan, machine: Machine, line: Line | None = None) -> None:
    plan.machines[machine.name] = machine
    if line is not None:
        plan.lines[machine.name] = line


def _add_exchange(plan: LabPlan) -> None:
    config = plan.config
    nothing = LineTable()
    pairs = at_exchange()
    middle = Pair(str(EXCHANGE_V4[0]), str(EXCHANGE_V6[0]), 24, 64)
    _add(plan, Machine(EXCHANGE, Kind.EXCHANGE, middle))
    wanted = [(isp.name, Kind.ISP, isp.exchange) for isp in config.isps]
    for kind, count in (
        (Kind.ORIGIN, config.origins),
        (Kind.MID, config.mids),
        (Kind.ROUTER, config.routers),
        (Kind.OBSERVER, config.observers),
    ):
        wanted += [(f"{kind.value}{number}", kind, nothing) for number in range(1, count + 1)]
    for (name, kind, table), pair in zip(wanted, pairs, strict=False):
        isp = name if kind is Kind.ISP else ""
        site = "mid" if kind is Kind.MID else ""
        line = Line(name, EXCHANGE, name, table, EXCHANGE_BRIDGE)
        _add(plan, Machine(name, kind, pair, isp=isp, site=site), line)


def _add_clients(plan: LabPlan, isp: str, count: int, table: LineTable) -> None:
    addresses = plan.isps[isp]
    for number in range(1, count + 1):
        machine = Machine(
            f"{isp}-client{number}",
            Kind.CLIENT,
            addresses.client(number),
            isp=isp,
            peer=addresses.client(0),
        )
        _add(plan, machine, Line(machine.name, isp, f"client{number}", table, CLIENTS_BRIDGE))


def _add_servers(plan: LabPlan, isp: str) -> None:
    addresses = plan.isps[isp]
    number = 0
    sites = [site for site in plan.config.sites if site.isp == isp]
    for site, vip_of in zip(sites, vip_numbers(sites), strict=True):
        for index in range(1, site.servers + 1):
            router, own = addresses.line(number)
            name = f"{site.name}{index}"
            own_vips = vip_of[(index - 1) * site.vips : index * site.vips]
            vips = tuple(addresses.vip(one) for one in own_vips)
            machine = Machine(
                name, Kind.SERVER, own, isp=isp, site=site.name, peer=router, vips=vips
            )
            _add(plan, machine, Line(name, isp, name, site.line, upper_pair=router))
            number += 1
