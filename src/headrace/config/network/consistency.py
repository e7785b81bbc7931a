"""Problems that span several tables of a description, each fine by itself. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from headrace.config.locate import TomlPath
from headrace.config.network.addresses import ports_of, repeated_addresses
from headrace.config.network.model import NetworkConfig
from headrace.config.network.parents import wrong_parents
from headrace.config.network.places import (
    MOST_SERVERS_OF_A_SITE,
    MOST_TIMES_THE_CAPACITY,
    CoverageTable,
    SiteTable,
)
from headrace.config.network.reach import unreached
from headrace.config.network.schedule import wrong_withdrawals
from headrace.config.network.unaddressed import unaddressed
from headrace.config.network.withdrawn_at_once import withdrawn_at_once
from headrace.config.network.wrong_announcements import wrong_announcements
from headrace.config.network.wrong_learnt import wrong_learnt
from headrace.config.network.wrong_vips import wrong_vips
from headrace.config.problems import Problem, Severity
from headrace.http.hosts import is_host_name
from headrace.http.origin_url import parse_origin_url

_MOST_NAMED = 10


def inconsistencies(config: NetworkConfig) -> list[Problem]:
    """Return every such problem; warnings are among them."""
    return [
        *_missing(config),
        *_repeated_names(config),
        *_networks_of_sites(config),
        *_kinds_of_sites(config),
        *_sites_of_servers(config),
        *_out_of_proportion(config),
        *_coverage(config),
        *_defaults(config),
        *_names_of_servers(config),
        *wrong_parents(config),
        *repeated_addresses(config),
        *unreached(config),
        *unaddressed(config),
        *wrong_withdrawals(
            config.withdrawals,
            {server.name for server in config.servers},
            {site.name: site.kind for site in config.sites},
        ),
        *withdrawn_at_once(config),
        *wrong_vips(config),
        *wrong_announcements(config),
        *wrong_learnt(config),
    ]


def _missing(config: NetworkConfig) -> Iterator[Problem]:
    for key, tables in (("site", config.sites), ("class", config.classes)):
        if not tables:
            yield Problem(
                path=(key,),
                message="required, but missing",
                remedy=f"add at least one [[{key}]] table",
            )


def _repeated_names(config: NetworkConfig) -> Iterator[Problem]:
    for key, names in (
        ("network", [one.name for one in config.networks]),
        ("site", [one.name for one in config.sites]),
        ("server", [one.name for one in config.servers]),
        ("coverage", [one.name for one in config.coverage]),
        ("class", [one.name for one in config.classes]),
    ):
        seen: dict[str, int] = {}
        for index, name in enumerate(names):
            first = seen.setdefault(name, index)
            if first != index:
                yield Problem(
                    path=(key, index, "name"),
                    value=repr(name),
                    message=f"another {key} has this name already",
                    remedy=f"give each {key} a name of its own",
                    concerns=((key, first, "name"),),
                )


def _unknown(path: TomlPath, name: str, known: Iterable[str], key: str) -> Problem:
    """Return the problem of a name that no table of a kind has."""
    names = list(islice(known, _MOST_NAMED + 1))
    some = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    return Problem(
        path=path,
        value=repr(name),
        message=f"there is no {key} of this name",
        remedy=f"name one of {some}, or add a [[{key}]]" if names else f"add a [[{key}]]",
        concerns=((key, "name"),),
    )


def _networks_of_sites(config: NetworkConfig) -> Iterator[Problem]:
    known = {network.name: None for network in config.networks}
    for index, site in enumerate(config.sites):
        if site.network is not None and site.network not in known:
            yield _unknown(("site", index, "network"), site.network, known, "network")


def _kinds_of_sites(config: NetworkConfig) -> Iterator[Problem]:
    used = {server.site for server in config.servers}
    own = {(server.host, port) for server in config.servers for port in ports_of(server)}
    for index, site in enumerate(config.sites):
        if site.kind == "external":
            yield from _external(index, site, own)
        elif site.base_url is not None:
            yield Problem(
                path=("site", index, "base_url"),
                value=repr(site.base_url),
                message="only external sites have a base_url",
                remedy='remove it, or write kind = "external"',
                concerns=(("site", index, "kind"),),
            )
        elif site.name not in used:
            yield Problem(
                path=("site", index),
                message=f"{site.name!r} has no server",
                remedy=f'add a [[server]] with site = "{site.name}", or remove the site',
                concerns=(("server", "site"), ("site", index, "kind")),
            )


def _external(index: int, site: SiteTable, own: set[tuple[str, int]]) -> Iterator[Problem]:
    url = None if site.base_url is None else parse_origin_url(site.base_url)
    if url is None:
        yield Problem(
            path=("site", index),
            message=f"{site.name!r} is external, but has no base_url",
            remedy='add base_url = "https://…": where that CDN serves what this network does',
            concerns=(("site", index, "base_url"),),
        )
    elif (url.host, url.port) in own:
        yield Problem(
            path=("site", index, "base_url"),
            value=repr(site.base_url),
            message="a server of this network is there, so clients would go in a circle",
            remedy="write where somebody else's CDN serves it",
            concerns=(("server",),),
        )


def _sites_of_servers(config: NetworkConfig) -> Iterator[Problem]:
    kinds = {site.name: site.kind for site in config.sites}
    count: Counter[str] = Counter()
    for index, server in enumerate(config.servers):
        path = ("server", index, "site")
        count[server.site] += 1
        if count[server.site] == MOST_SERVERS_OF_A_SITE + 1:
            yield Problem(
                path,
                f"a site has at most {MOST_SERVERS_OF_A_SITE} servers",
                "make several sites of it",
                repr(server.site),
            )
        if server.site not in kinds:
            yield _unknown(path, server.site, kinds, "site")
        elif kinds[server.site] == "external":
            yield Problem(
                path=path,
                value=repr(server.site),
                message="an external site has no servers of this network",
                remedy="name an edge or a mid site, or remove the server",
                concerns=(("site", "kind"),),
            )


def _out_of_proportion(config: NetworkConfig) -> Iterator[Problem]:
    """Yield a problem for each site whose servers could not share its shards: a server that is
    nothing beside another takes minutes to place.
    """
    by_site: dict[str, list[tuple[int, int]]] = {}
    for index, server in enumerate(config.servers):
        by_site.setdefault(server.site, []).append((server.capacity_bps, index))
    for servers in by_site.values():
        (least_bps, smallest), (most_bps, largest) = min(servers), max(servers)
        if most_bps > MOST_TIMES_THE_CAPACITY * least_bps:
            path: TomlPath = ("server", smallest, "capacity")
            yield Problem(
                path,
                f"{config.servers[largest].name!r} of the same site has more than "
                f"{MOST_TIMES_THE_CAPACITY} times the capacity",
                "correct one of the two, or put them into sites of their own",
                concerns=(("server", smallest, "site"), ("server", largest)),
            )


def _coverage(config: NetworkConfig) -> Iterator[Problem]:
    networks = {network.name: None for network in config.networks}
    kinds = {site.name: site.kind for site in config.sites}
    owners: dict[str, int] = {}
    for index, coverage in enumerate(config.coverage):
        if not (
            coverage.networks
            or coverage.prefixes
            or coverage.prefix_file is not None
            or coverage.learnt is not None
            or coverage.default
        ):
            yield Problem(
                path=("coverage", index),
                message=f"{coverage.name!r} is for nobody",
                remedy="add networks, prefixes, prefix_file or default = true",
                concerns=(("coverage", index),),
            )
        named: set[str] = set()
        for place, name in enumerate(coverage.networks):
            path = ("coverage", index, "networks", place)
            if name not in networks:
                yield _unknown(path, name, networks, "network")
                continue
            first = owners.setdefault(name, index)
            if first != index or name in named:
                yield Problem(
                    path=path,
                    value=repr(name),
                    message=f"coverage {config.coverage[first].name!r} is for this network already",
                    remedy="leave it in one of them; which sites come first is said by their order",
                    concerns=(("coverage", first, "networks"),),
                )
            named.add(name)
        yield from _sites_of_coverage(index, coverage, kinds)


def _sites_of_coverage(
    index: int, coverage: CoverageTable, kinds: Mapping[str, str]
) -> Iterator[Problem]:
    names: Sequence[str] = [choice.name for choice in coverage.sites]
    for place, name in enumerate(names):
        path = ("coverage", index, "sites", place, "name")
        if name not in kinds:
            yield _unknown(path, name, kinds, "site")
        elif kinds[name] == "mid":
            yield Problem(
                path=path,
                value=repr(name),
                message="a mid site serves no clients",
                remedy="name an edge or an external site",
                concerns=(("site", "kind"),),
            )
        if name in names[:place]:
            yield Problem(
                path=path,
                value=repr(name),
                message="the site is named twice",
                remedy="name it once, with its weight and order",
            )


def _defaults(config: NetworkConfig) -> Iterator[Problem]:
    defaults = [index for index, one in enumerate(config.coverage) if one.default]
    for index in defaults[1:]:
        yield Problem(
            path=("coverage", index, "default"),
            value="true",
            message=f"coverage {config.coverage[defaults[0]].name!r} is the default already",
            remedy="leave one default; its sites' order says which comes first",
            concerns=(("coverage", defaults[0], "default"),),
        )
    if not defaults:
        for index, site in enumerate(config.sites):
            if site.kind == "edge" and site.coordinates is None:
                yield Problem(
                    path=("site", index),
                    message=f"{site.name!r} has no coordinates, and no coverage is the default: "
                    "clients of no coverage are sent to the sites near them",
                    remedy="add coordinates and country, or a coverage with default = true",
                    severity=Severity.WARNING,
                    concerns=(("coverage", "default"), ("site", index)),
                )


def _names_of_servers(config: NetworkConfig) -> Iterator[Problem]:
    """Yield the names of servers that make no host name where a class puts them into one."""
    for index, one in enumerate(config.classes):
        template = one.server_host
        if template is None:
            continue
        for server in config.servers:
            host = template.replace("{server}", server.name)
            if not is_host_name(host):
                yield Problem(
                    path=("class", index, "server_host"),
                    value=repr(template),
                    message=f"for server {server.name!r} it makes {host!r}, which is no host name",
                    remedy="write lower-case letters, digits, dots and hyphens, in names of "
                    "servers too",
                    concerns=(("server", "name"),),
                )
                break
