"""`headrace vip`: what servers announce, who takes over what, and why."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli import vip_running as running
from headrace.cli.admin_client import AdminOption, ConfigOption, TokenOption
from headrace.cli.examples import examples
from headrace.cli.vip_coverage import coverage
from headrace.cli.vip_withdraw import withdraw
from headrace.errors import HeadraceError
from headrace.topology.build import load_topology
from headrace.topology.model import Topology
from headrace.vip.plan.assumed import Assumed, assumed_plans
from headrace.vip.plan.model import Address
from headrace.vip.plan.order import SiteOrder, site_order
from headrace.vip.plan.pages import plan_lines, takeover_lines, vip_lines

_MOST_NAMED = 10

vip = typer.Typer(
    name="vip",
    help="Addresses that move between servers: what each announces, and who takes over what.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

for _name, _command in (
    ("run", running.run_vip),
    ("status", running.status),
    ("events", running.events),
    ("drain", running.drain),
    ("return", running.back),
    ("withdraw", withdraw),
):
    vip.command(name=_name, epilog=examples(f"vip {_name}"))(_command)

vip.add_typer(coverage)

Network = Annotated[Path, typer.Option(metavar="FILE", help="The network's description.")]
MaybeNetwork = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Ask nobody: go by the network's description."),
]
Failed = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Assume that this server has failed. Repeatable."),
]
Draining = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Assume that this server drains. Repeatable."),
]
Withdrawn = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Assume that this one has drained. Repeatable."),
]


def _parsed_time(text: str) -> datetime:
    """Return a time that is the same everywhere. Raises typer.BadParameter."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(
            f"{text!r} is no time with its zone: write it as 2026-12-01T02:00:00+01:00"
        )
    return found


At = Annotated[
    datetime | None,
    typer.Option(
        metavar="TIME",
        parser=_parsed_time,
        help="Ask of this time, for planned maintenance: 2026-12-01T02:00:00+01:00. Unset: now.",
    ),
]


class BadVipQuestion(HeadraceError):
    """What is asked for is not in the description."""


@vip.command(name="plan", epilog=examples("vip plan"))
def plan(
    *,
    network: MaybeNetwork = None,
    server: Annotated[
        str | None, typer.Option(metavar="NAME", help="The server that announces.")
    ] = None,
    failed: Failed = None,
    draining: Draining = None,
    withdrawn: Withdrawn = None,
    at: At = None,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Print what the server that runs here announces.

    With --network, what any server would, by the description alone. All servers and checks are
    then assumed to be sound, but for those that are named.
    """
    supposed = {
        "--server": server, "--failed": failed, "--draining": draining, "--withdrawn": withdrawn,
        "--at": at,
    }  # fmt: skip
    _refuse_what_says_nothing(network, supposed, (admin, token_file, config))
    if network is None:
        _print(running.planned(running.client_of(admin, token_file, config)))
        return
    if server is None:
        raise typer.BadParameter("name the server", param_hint="--server")
    topology = load_topology(network)
    order = _site_of(topology, server)
    assumed = _assumed(order, failed, draining, withdrawn)
    _print(plan_lines(order, assumed_plans(order, assumed, _moment(at))[server]))


@vip.command(name="explain", epilog=examples("vip explain"))
def explain(
    address: Annotated[str, typer.Argument(metavar="VIP", help="The address.")],
    *,
    network: MaybeNetwork = None,
    failed: Failed = None,
    draining: Draining = None,
    withdrawn: Withdrawn = None,
    at: At = None,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Print who may announce a VIP and why, as the server that runs here knows.

    With --network, by the description alone.
    """
    supposed = {
        "--failed": failed, "--draining": draining, "--withdrawn": withdrawn, "--at": at,
    }  # fmt: skip
    _refuse_what_says_nothing(network, supposed, (admin, token_file, config))
    if network is None:
        _print(running.explained(running.client_of(admin, token_file, config), address))
        return
    topology = load_topology(network)
    asked, owner = _owner(topology, address)
    order = _site_of(topology, owner)
    assumed = _assumed(order, failed, draining, withdrawn)
    _print(vip_lines(order, assumed_plans(order, assumed, _moment(at)), asked))


@vip.command(name="takeover", epilog=examples("vip takeover"))
def takeover(
    *,
    network: Network,
    site: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this site. Unset: all with VIPs.")
    ] = None,
    failed: Failed = None,
    draining: Draining = None,
    withdrawn: Withdrawn = None,
    at: At = None,
) -> None:
    """Print who takes over the load of whom, and how much that comes to.

    Clients are assumed to be spread by capacity, and evenly over the VIPs of a server.
    """
    topology = load_topology(network)
    sites = _sites(topology, site)
    named = {*(failed or ()), *(draining or ()), *(withdrawn or ())}
    _known(named, [one.name for one in topology.servers])
    for number, name in enumerate(sites):
        order = site_order(topology, name)
        failed_here, draining_here, withdrawn_here = (
            tuple(one for one in each or () if one in order.servers)
            for each in (failed, draining, withdrawn)
        )
        assumed = Assumed(failed_here, draining_here, withdrawn_here)
        _print([*([""] if number else []), f"{name}: {len(order.servers)} servers", ""])
        _print(takeover_lines(order, assumed, _moment(at)))


def _refuse_what_says_nothing(
    network: Path | None, supposed: Mapping[str, object], asked: tuple[object, ...]
) -> None:
    """Whoever supposes something, or names whom to ask, must not get another answer without a
    word. Raises typer.BadParameter.
    """
    if network is not None and any(each is not None for each in asked):
        raise typer.BadParameter(
            "with it nobody is asked: leave out --admin, --token-file and --config, or it",
            param_hint="--network",
        )
    for option, value in supposed.items():
        if network is None and value:
            raise typer.BadParameter(
                "goes with --network FILE alone: a server that runs says what is so",
                param_hint=option,
            )


def _sites(topology: Topology, asked: str | None) -> list[str]:
    """Return the sites with VIPs, or the one asked for. Raises BadVipQuestion."""
    found = list(dict.fromkeys(one.site for one in topology.servers if one.vips))
    if not found:
        raise BadVipQuestion("no server of this description has a VIP: give its [[server]] `vips`")
    if asked is None:
        return found
    if asked not in found:
        raise BadVipQuestion(f"no server of {asked!r} has a VIP: name {_some(found)}")
    return [asked]


def _site_of(topology: Topology, server: str) -> SiteOrder:
    _known([server], [one.name for one in topology.servers])
    return site_order(topology, topology.server(server).site)


def _owner(topology: Topology, text: str) -> tuple[Address, str]:
    try:
        asked = ip_address(text)
    except ValueError:
        raise BadVipQuestion(f"{text!r} is not an address: write one of the VIPs") from None
    owners = {each: one.name for one in topology.servers for v in one.vips for each in v.addresses}
    if asked not in owners:
        raise BadVipQuestion(f"{asked} is no VIP: name {_some(map(str, owners))}")
    return asked, owners[asked]


def _assumed(
    order: SiteOrder,
    failed: list[str] | None,
    draining: list[str] | None,
    withdrawn: list[str] | None,
) -> Assumed:
    found = Assumed(tuple(failed or ()), tuple(draining or ()), tuple(withdrawn or ()))
    _known({*found.failed, *found.draining, *found.withdrawn}, list(order.servers))
    return found


def _known(names: Collection[str], servers: Collection[str]) -> None:
    for name in names:
        if name not in servers:
            raise BadVipQuestion(f"there is no server {name!r} here: name {_some(servers)}")


def _some(names: Iterable[str]) -> str:
    known = list(names)
    shown = ", ".join(known[:_MOST_NAMED]) + (", …" if len(known) > _MOST_NAMED else "")
    return f"one of {shown}" if known else "one that the description has: there is none"


def _moment(at: datetime | None) -> float:
    return time.time() if at is None else at.timestamp()


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
