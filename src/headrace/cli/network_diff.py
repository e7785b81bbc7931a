"""`headrace network diff`: what another description would change, and for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from headrace.config.units import format_bit_rate
from headrace.topology.diff import Clients, Difference, ServerChange, SiteChange, difference
from headrace.topology.tree import aligned

_INDENT = "  "
_MOST_COVERAGES = 20


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The description in force.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The one that is to be.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say which clients and shards another description would move, and what it adds and removes.

    Clients are counted by the addresses that coverage names; shards by a sample.
    """
    from headrace.topology.build import load_topology

    found = difference(load_topology(old), load_topology(new))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    for line in lines(found):
        typer.echo(line)


def lines(found: Difference) -> Iterator[str]:
    """Yield the comparison as a person reads it."""
    if found.version_before == found.version_after:
        yield f"{found.version_after}: both say the same"
        return
    yield f"{found.version_before} becomes {found.version_after}"
    yield ""
    yield f"clients  {_moved_clients(found.clients_moved)} to another site"
    yield f"others   {_percent(found.others_moved)} of the clients that no prefix names"
    yield f"shards   {_percent(found.shards_moved)} get another owner in their site"
    for title, rows in (
        ("what changes", list(_parts(found))),
        ("sites", list(_sites(found))),
        ("servers", list(_servers(found))),
        ("clients by coverage", list(_coverages(found))),
    ):
        if rows:
            yield ""
            yield title
            yield from (_INDENT + _INDENT.join(row).rstrip() for row in aligned(rows))


_SIGNS = {"added": "+", "removed": "-", "changed": "~", "": " "}


def _parts(found: Difference) -> Iterator[tuple[str, ...]]:
    for part in found.parts:
        yield _SIGNS[part.change], part.kind, part.name, ", ".join(part.fields)


def _sites(found: Difference) -> Iterator[tuple[str, ...]]:
    rows = [site for site in found.sites if _touched(site)]
    if rows:
        yield "", "site", "capacity", "IPv4", "IPv6", "leave, come", "shards that move"
    for site in rows:
        yield (
            _SIGNS[site.change],
            site.name,
            _capacities(site.capacity_bps_before, site.capacity_bps_after),
            _before_and_after(site.clients_before.v4, site.clients_after.v4),
            _before_and_after(site.clients_before.v6, site.clients_after.v6),
            f"{_most(site.clients_leave)}, {_most(site.clients_come)}",
            _by_class(site.shards_moved),
        )


def _touched(site: SiteChange) -> bool:
    moves = (site.clients_leave, site.clients_come)
    return bool(
        site.change
        or site.capacity_bps_before != site.capacity_bps_after
        or any(one.v4 or one.v6 for one in moves)
        or any(site.shards_moved.values())
    )


def _servers(found: Difference) -> Iterator[tuple[str, ...]]:
    rows = [one for one in found.servers if one.change or one.shards_before != one.shards_after]
    if rows:
        yield "", "server", "site", "capacity", "share of the site's shards"
    for one in rows:
        capacity = _capacities(one.capacity_bps_before, one.capacity_bps_after)
        yield _SIGNS[one.change], one.name, one.site, capacity, _owned(one)


def _owned(server: ServerChange) -> str:
    names = list(dict.fromkeys([*server.shards_before, *server.shards_after]))
    shown: dict[str, list[str]] = {}
    for name in names:
        text = _before_and_after(server.shards_before.get(name), server.shards_after.get(name))
        shown.setdefault(text, []).append(name)
    if len(shown) == 1:
        return next(iter(shown))
    return "; ".join(f"{', '.join(of)} {text}" for text, of in shown.items())


def _coverages(found: Difference) -> Iterator[tuple[str, ...]]:
    moved = [one for one in found.coverage if one.moved or one.before != one.after]
    if moved:
        yield "coverage", "IPv4 addresses", "IPv6 networks", "sites", "moved"
    moved.sort(key=lambda one: -one.moved * (one.v4_addresses + one.v6_networks))
    for one in moved[:_MOST_COVERAGES]:
        name = (
            one.before if one.before == one.after else f"{one.before or '-'} → {one.after or '-'}"
        )
        sites = f"{_named(one.sites_before)} → {_named(one.sites_after)}"
        if one.sites_before == one.sites_after:
            sites = _named(one.sites_after)
        yield (
            name,
            f"{one.v4_addresses:,.0f}",
            f"{one.v6_networks:,.0f}",
            sites,
            _percent(one.moved),
        )
    if len(moved) > _MOST_COVERAGES:
        yield f"and {len(moved) - _MOST_COVERAGES} more (see --json)", "", "", "", ""


def _named(shares: Mapping[str, float]) -> str:
    return " ".join(f"{name} {_percent(share)}" for name, share in shares.items()) or "nobody"


def _by_class(moves: Mapping[str, float]) -> str:
    shown: dict[str, list[str]] = {}
    for name, share in moves.items():
        shown.setdefault(_percent(share), []).append(name)
    if len(shown) == 1:
        return next(iter(shown))
    return "; ".join(f"{', '.join(of)} {text}" for text, of in shown.items())


def _moved_clients(clients: Clients) -> str:
    pairs = (("of the IPv4 addresses", clients.v4), ("of the IPv6 networks", clients.v6))
    named = [f"{_percent(share)} {text}" for text, share in pairs if share is not None]
    return " and ".join(named) or "none named"


def _most(clients: Clients) -> str:
    return _percent(max(clients.v4 or 0.0, clients.v6 or 0.0))


def _before_and_after(before: float | None, after: float | None) -> str:
    if before is None and after is None:
        return ""
    texts = ["-" if share is None else _percent(share) for share in (before, after)]
    return texts[0] if texts[0] == texts[1] else " → ".join(texts)


def _capacities(before: int | None, after: int | None) -> str:
    texts = ["-" if rate is None else format_bit_rate(rate) for rate in (before, after)]
    return texts[0] if texts[0] == texts[1] else " → ".join(texts)


def _percent(share: float) -> str:
    if 0.0 < share < 0.001:
        return "<0.1 %"
    return f"{share * 100:.1f} %"
