"""A server whose VIPs its neighbours have taken over: it has failed, and its load is theirs."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from headrace.feedback.balance.demand import measure
from headrace.feedback.balance.rules import BalanceRules
from headrace.feedback.observation import NodeReport
from headrace.feedback.observe.targets import targets_of
from headrace.feedback.states.model import State
from headrace.telemetry.load_report import Flow, LoadReport
from headrace.topology.model import Topology
from headrace.topology.view import ServerState, ServerView
from headrace.topology.vips import Vip
from tests.unit.feedback.networks import REFUSED, Loop, network, observed


def with_vips(topology: Topology) -> Topology:
    servers = tuple(
        replace(
            server,
            ipv4=(IPv4Address(0x0A000000 + number),),
            vips=(Vip(IPv4Address(0xC0000200 + number)),),
        )
        for number, server in enumerate(topology.servers, 1)
    )
    return replace(topology, servers=servers)


NET = with_vips(network())
CAPACITY_BPS = NET.servers[0].capacity_bps
DEAD, NEIGHBOUR = "s0a0", "s0a1"


def report(node: str, used: float) -> NodeReport:
    """Return what a server says that sends a share of its capacity, all of it to one coverage."""
    bps = used * CAPACITY_BPS
    flows = {"all": {"video": Flow(bps, 100.0)}}
    said = LoadReport(node=node, role="edge", interval_s=5.0, egress_bps=bps, flows=flows)
    return NodeReport(0.0, said)


def test_servers_are_probed_at_addresses_that_no_neighbour_answers_at() -> None:
    vips = {str(address) for one in NET.servers for vip in one.vips for address in vip.addresses}
    probed = {address for one in targets_of(NET) for address in one.addresses}
    assert len(probed) == len(NET.servers)
    assert not probed & vips


def test_what_a_neighbour_took_over_is_its_own_load() -> None:
    loop = Loop(NET)
    loop.well(2)
    seen = observed(NET, {DEAD: REFUSED})
    taken = {NEIGHBOUR: report(NEIGHBOUR, 0.97), "s0a2": report("s0a2", 0.4)}
    loop.see(replace(seen, reports=taken), 3)
    assert loop.states() == {DEAD: State.FAILED, NEIGHBOUR: State.FULL}


def test_demand_is_counted_once_where_it_is_sent_from() -> None:
    servers = {DEAD: ServerView(ServerState.FAILED)}
    reports = {DEAD: report(DEAD, 0.5), NEIGHBOUR: report(NEIGHBOUR, 0.9)}
    found = measure(NET, servers, reports, BalanceRules())
    assert found.flows == {"all": {"video": 0.9 * CAPACITY_BPS}}
    assert found.load == {"s0": 0.9 * CAPACITY_BPS}
