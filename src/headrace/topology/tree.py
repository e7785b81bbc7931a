"""A network as a tree that a person can read: sites by network, whom they serve, and what. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from headrace.config.units import format_bit_rate, format_size
from headrace.topology.model import (
    AdminState,
    ClientNetwork,
    ContentClass,
    Coverage,
    Server,
    Site,
    SiteKind,
    StoreBy,
    Topology,
    Withdrawal,
)

_INDENT = "  "
_MOST_NAMES = 8


class Ink(enum.Enum):
    """What a part of the tree is, for those who paint it."""

    HEADING = "heading"
    NAME = "name"
    GOOD = "good"
    CAREFUL = "careful"
    BAD = "bad"


Paint = Callable[[str, Ink], str]
_STATES = {
    AdminState.ONLINE: Ink.GOOD,
    AdminState.DRAINING: Ink.CAREFUL,
    AdminState.WITHDRAWN: Ink.BAD,
}


def plain(text: str, _ink: Ink) -> str:
    """Return a text without any colour."""
    return text


def tree(topology: Topology, paint: Paint = plain) -> Iterator[str]:
    """Yield the lines of the tree."""
    servers: dict[str, list[Server]] = {}
    for server in topology.servers:
        servers.setdefault(server.site, []).append(server)
    sites: dict[str, list[str]] = {}
    for site in topology.sites:
        sites.setdefault(site.network, []).extend(_site(site, servers.get(site.name, ()), paint))
    yield paint(summary(topology), Ink.HEADING)
    for network in topology.networks:
        yield ""
        yield _network(network, paint)
        yield from sites.get(network.name, ())
    rest = sites.get("")
    if rest:
        yield ""
        yield paint("in no ISP's network", Ink.HEADING)
        yield from rest
    yield ""
    yield paint("coverage", Ink.HEADING)
    yield from _coverages(topology, paint)
    yield ""
    yield paint("classes", Ink.HEADING) + ", the first that matches"
    width = max((len(one.name) for one in topology.classes), default=0)
    for one in topology.classes:
        yield f"{_INDENT}{paint(one.name.ljust(width), Ink.NAME)}{_INDENT}{_class(one)}"
    if topology.withdrawals:
        yield ""
        yield paint("maintenance", Ink.HEADING)
        yield from (_withdrawal(one, paint) for one in topology.withdrawals)


def _withdrawal(one: Withdrawal, paint: Paint) -> str:
    what = f"server {one.server}" if one.server else f"site {one.site}"
    drains = f", drains {one.drain_s:g} s before" if one.drain_s else ""
    why = f": {one.reason}" if one.reason else ""
    times = f"{_utc(one.start)} to {_utc(one.end)}"
    return f"{_INDENT}{paint(what, Ink.NAME)}{_INDENT}{times}{drains}{why}"


def _utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def summary(topology: Topology) -> str:
    """Return what a network has, in one line."""
    kinds = [site.kind for site in topology.sites]
    parts = [
        counted(kinds.count(kind), f"{kind.value} site")
        for kind in SiteKind
        if kind is SiteKind.EDGE or kind in kinds
    ]
    parts += [
        counted(len(topology.servers), "server"),
        counted(len(topology.networks), "network"),
        counted(prefix_count(topology), "prefix", "prefixes"),
        counted(len(topology.coverage), "coverage", "coverages"),
        counted(len(topology.classes), "class", "classes"),
    ]
    vips = sum(len(server.vips) for server in topology.servers)
    if vips:
        parts.append(counted(vips, "VIP"))
    if topology.withdrawals:
        parts.append(counted(len(topology.withdrawals), "withdrawal"))
    return ", ".join(parts)


def prefix_count(topology: Topology) -> int:
    """Return how many prefixes a description has in all."""
    of_networks = sum(len(network.prefixes) for network in topology.networks)
    return of_networks + sum(len(coverage.prefixes) for coverage in topology.coverage)


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun: `1 site`, `2 sites`, `1,000 sites`."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def _network(network: ClientNetwork, paint: Paint) -> str:
    numbers = [f"AS{number}" for number in network.as_numbers]
    words = [paint(network.name, Ink.HEADING), *_some(numbers)]
    return _INDENT.join([*words, counted(len(network.prefixes), "prefix", "prefixes")])


def _site(site: Site, servers: Sequence[Server], paint: Paint) -> Iterator[str]:
    yield f"{_INDENT}{paint(site.name, Ink.NAME)}{_INDENT}{_about_site(site, servers)}"
    yield from _servers(servers, paint)


def _about_site(site: Site, servers: Sequence[Server]) -> str:
    if site.kind is SiteKind.EXTERNAL:
        price = f"{_INDENT}{site.price_per_gb:g} per GB" if site.price_per_gb else ""
        return f"external{_INDENT}{site.base_url}{price}"
    words = [site.kind.value, *filter(None, (site.country, site.continent))]
    if site.latitude is not None:
        words.append(f"{site.latitude:g}, {site.longitude:g}")
    total_bps = sum(one.capacity_bps for one in servers if one.state is not AdminState.WITHDRAWN)
    if site.capacity_bps is not None and site.capacity_bps < total_bps:
        total_bps = site.capacity_bps
    words.append(f"{format_bit_rate(total_bps)}, used to {site.target_utilisation:.0%}")
    if site.price_per_gb:
        words.append(f"{site.price_per_gb:g} per GB")
    if site.preference:
        words.append(f"preference {site.preference}")
    if site.parents:
        words.append("asks " + ", then ".join(site.parents))
    if any(one.vips for one in servers):
        least = min(site.announce.neighbours, len(servers) - 1)
        words.append(f"VIPs by {site.announce.preference.value}, {counted(least, 'neighbour')}")
    return _INDENT.join(words)


def _servers(servers: Sequence[Server], paint: Paint) -> Iterator[str]:
    rows = [
        (
            server.name,
            server.state.value,
            format_bit_rate(server.capacity_bps),
            _storage(server.storage_bytes),
            _where(server),
            " ".join(_some([str(address) for address in (*server.ipv4, *server.ipv6)])),
            _vips(server),
        )
        for server in servers
    ]
    for server, row in zip(servers, aligned(rows), strict=True):
        name, state, *rest = row
        painted = (paint(name, Ink.NAME), paint(state, _STATES[server.state]), *rest)
        yield (_INDENT * 2 + _INDENT.join(painted)).rstrip()


def _vips(server: Server) -> str:
    addresses = [str(address) for vip in server.vips for address in vip.addresses]
    return " ".join(["VIPs", *_some(addresses)]) if addresses else ""


def _where(server: Server) -> str:
    ports = (("http", server.http_port), ("https", server.https_port), ("peers", server.peer_port))
    return " ".join([server.host, *(f"{word}:{port}" for word, port in ports if port is not None)])


def _storage(size_bytes: int) -> str:
    if not size_bytes:
        return "-"
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    return str(format_size(size_bytes))


def _coverages(topology: Topology, paint: Paint) -> Iterator[str]:
    rows = [(one.name, _clients(one), _choices(one)) for one in topology.coverage]
    for name, clients, choices in aligned(rows):
        yield f"{_INDENT}{paint(name, Ink.NAME)}{_INDENT}{clients}{_INDENT}→ {choices}".rstrip()
    if not any(one.default for one in topology.coverage):
        yield f"{_INDENT}all others by country, continent and distance"


def _clients(coverage: Coverage) -> str:
    whom = list(_some(coverage.networks))
    if coverage.prefixes:
        whom.append(counted(len(coverage.prefixes), "prefix", "prefixes"))
    if coverage.default:
        whom.append("all others")
    return ", ".join(whom)


def _choices(coverage: Coverage) -> str:
    orders: dict[int, list[str]] = {}
    for choice in coverage.sites:
        weight = "" if choice.weight is None else f" ×{choice.weight:g}"
        orders.setdefault(choice.order, []).append(choice.site + weight)
    return ", then ".join(" | ".join(orders[order]) for order in sorted(orders))


def _class(one: ContentClass) -> str:
    which = [" ".join(_some(some)) for some in (one.hosts, one.paths, one.kinds) if some]
    words = [", ".join(which) or "all", f"shard {one.shard_key}"]
    if one.shard_pattern is not None:
        words.append(f"of {one.shard_pattern.pattern}")
    if one.replicas > 1:
        words.append(counted(one.replicas, "replica"))
    if one.widening is not None:
        words.append("widened")
    words.append(_storing(one))
    if not one.external:
        words.append("never external")
    words.append(f"{one.redirect.value}, {one.ttl_s:g} s")
    return _INDENT.join(words)


def _storing(one: ContentClass) -> str:
    tiers = "tiers" if one.tiering else "no tiers"
    after = f" (after {one.popular_after})" if one.store is StoreBy.POPULAR else ""
    return f"{tiers}, stores {one.store.value}{after}"


def _some(names: Sequence[str]) -> Iterator[str]:
    """Yield names, of very many only the first."""
    yield from names[:_MOST_NAMES]
    if len(names) > _MOST_NAMES:
        yield f"… ({len(names):,})"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Yield the rows with their cells padded, so that they stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
