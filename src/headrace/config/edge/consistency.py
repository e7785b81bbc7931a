"""Problems that span several tables of a configuration, each fine by itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.config.addresses import Address, TcpAddress
from headrace.config.edge.model import Config
from headrace.config.edge.pools import Route
from headrace.config.edge.service import CacheRules, KeyRules
from headrace.config.locate import TomlPath
from headrace.config.problems import Problem, Severity


def inconsistencies(config: Config) -> list[Problem]:
    """Return every such problem; warnings are among them."""
    return [
        *_repeated_names(config),
        *_repeated_hosts(config),
        *_repeated_addresses(config),
        *_slices(config),
        *_certificates(config),
        *_pools(config),
        *_peers(config),
    ]


def _peers(config: Config) -> Iterable[Problem]:
    member = config.network
    for index, listener in enumerate(config.listeners):
        told_apart = member is not None and (member.secret_file or listener.client_ca)
        if listener.peers and not told_apart:
            yield Problem(
                path=("listen", index, "peers"),
                value="true",
                message="no server of a network can be told from a client here",
                remedy="add a [network] table with a secret_file, or a client_ca to the address, "
                "or remove the line",
            )
        if listener.client_ca is not None and not (listener.tls and listener.peers):
            yield Problem(
                path=("listen", index, "client_ca"),
                value=repr(str(listener.client_ca)),
                message="certificates are asked of other servers only, by TLS",
                remedy="add `tls = true` and `peers = true` to the address, or remove the line",
            )
    if member is not None and (member.tiering.cert is None) != (member.tiering.key is None):
        there = "cert" if member.tiering.key is None else "key"
        yield Problem(
            path=("network", "tiering", there),
            value=repr(str(member.tiering.cert or member.tiering.key)),
            message="a certificate and its key belong together",
            remedy="give both `cert` and `key`, or none",
        )


def _repeated_names(config: Config) -> Iterable[Problem]:
    seen: dict[str, int] = {}
    for index, service in enumerate(config.services):
        first = seen.setdefault(service.name, index)
        if first != index:
            yield Problem(
                path=("service", index, "name"),
                value=repr(service.name),
                message="another service has this name already",
                remedy="give each service a name of its own: it is part of every cache key",
                concerns=(("service", first, "name"),),
            )


def _repeated_hosts(config: Config) -> Iterable[Problem]:
    seen: dict[str, tuple[int, int]] = {}
    for index, service in enumerate(config.services):
        for place, host in enumerate(service.hosts):
            first = seen.setdefault(host, (index, place))
            if first != (index, place):
                yield Problem(
                    path=("service", index, "hosts", place),
                    value=repr(host),
                    message=f"service {config.services[first[0]].name!r} serves this host already",
                    remedy="leave the host in one service only",
                    concerns=(("service", first[0], "hosts", first[1]),),
                )


def _repeated_addresses(config: Config) -> Iterable[Problem]:
    seen: list[tuple[Address, TomlPath]] = []
    wanted: list[tuple[Address, TomlPath]] = [
        (listener.parsed, ("listen", index, "address"))
        for index, listener in enumerate(config.listeners)
    ]
    if config.admin is not None:
        wanted.append((config.admin.parsed, ("admin", "listen")))
    for address, path in wanted:
        chosen_by_system = isinstance(address, TcpAddress) and address.port == 0
        known = next((other for other in seen if other[0] == address), None)
        if known is not None and not chosen_by_system:
            yield Problem(
                path=path,
                value=repr(str(address)),
                message="this address is listened on already",
                remedy="give each listener, and the admin API, an address of its own",
                concerns=(known[1],),
            )
        seen.append((address, path))


def _slices(config: Config) -> Iterable[Problem]:
    store = config.store
    if store.slice_bytes * 2 > store.size_bytes:
        yield Problem(
            path=("store", "slice"),
            value=str(store.slice_bytes),
            message=f"a slice is more than half of the store's {store.size_bytes} bytes",
            remedy="raise store.size or lower store.slice",
            concerns=(("store", "size"),),
        )
    for index, service in enumerate(config.services):
        tables: list[tuple[TomlPath, CacheRules]] = [(("service", index, "cache"), service.cache)]
        tables += [
            (("service", index, "rule", number), rule) for number, rule in enumerate(service.rules)
        ]
        for path, rules in tables:
            if rules.slice_bytes is not None and rules.slice_bytes > store.slice_bytes:
                yield Problem(
                    path=(*path, "slice"),
                    value=str(rules.slice_bytes),
                    message=f"a slice is larger than store.slice, {store.slice_bytes} bytes",
                    remedy="lower it, or raise store.slice",
                    concerns=(("store", "slice"),),
                )


def _certificates(config: Config) -> Iterable[Problem]:
    if config.certificates and not any(listener.tls for listener in config.listeners):
        yield Problem(
            path=("certificate",),
            message="no listener has tls = true, so no certificate is used",
            remedy="set tls = true in a [[listen]] table, or remove the [[certificate]] tables",
            severity=Severity.WARNING,
            concerns=(("listen",),),
        )


def _pools(config: Config) -> Iterable[Problem]:
    """Names that are used twice, or that nothing has."""
    for index, service in enumerate(config.services):
        pools = [pool.name for pool in service.all_pools]
        retries = {retry.name for retry in service.retries} | {"default"}
        yield from _twice(("service", index, "pool"), [pool.name for pool in service.pools])
        yield from _twice(("service", index, "retry"), [retry.name for retry in service.retries])
        yield from _twice(("service", index, "route"), [route.name for route in service.routes])
        if service.origins and "default" in [pool.name for pool in service.pools]:
            yield Problem(
                path=("service", index, "origins"),
                message="a pool is called default, as these origins would be",
                remedy="remove origins, or give the pool another name",
                concerns=(("service", index, "pool"),),
            )
        for number, route in enumerate(service.routes):
            place: TomlPath = ("service", index, "route", number)
            for key, name in (("pool", route.pool), ("mirror", route.mirror)):
                if name is not None and name not in pools:
                    yield _unknown((*place, key), name, "pool", pools)
            if route.pool is not None:
                yield from _unkeyed(place, route, service.key)
            if route.retry is not None and route.retry not in retries:
                yield _unknown((*place, "retry"), route.retry, "retry policy", sorted(retries))
        for number, pool in enumerate(service.pools):
            names = [origin.name or origin.url for origin in pool.origins]
            yield from _twice(("service", index, "pool", number, "origin"), names)


def _unkeyed(place: TomlPath, route: Route, key: KeyRules) -> Iterable[Problem]:
    """Return what a route goes by has to be in the key, or one client chooses the pool for all."""
    for name in route.query:
        kept = key.query == "keep" and (key.keep is None or name in key.keep)
        if not kept or name in key.drop or name.upper() == "CMCD":
            yield Problem(
                path=(*place, "query"),
                value=repr(name),
                message="this parameter is no part of the key, so answers from either pool are one",
                remedy="let the service's key keep the parameter, or remove it from the route",
                concerns=((*place[:2], "key"),),
            )
    if route.hosts and not key.host:
        yield Problem(
            path=(*place, "hosts"),
            message="the service's key has no host, so answers from either pool are one",
            remedy="remove host = false from the service's key, or hosts from the route",
            concerns=((*place[:2], "key"),),
        )


def _twice(place: TomlPath, names: list[str]) -> Iterable[Problem]:
    for number, name in enumerate(names):
        first = names.index(name)
        if first != number:
            yield Problem(
                path=(*place, number),
                value=repr(name),
                message="this name is used already",
                remedy="give each a name of its own",
                concerns=((*place, first),),
            )


def _unknown(path: TomlPath, name: str, kind: str, known: list[str]) -> Problem:
    service = path[:2]
    return Problem(
        path=path,
        value=repr(name),
        message=f"the service has no {kind} of this name",
        remedy=f"write one of {', '.join(known)}, or add a [[service.{kind}]] table",
        concerns=((*service, "origins"), (*service, "pool"), (*service, "retry")),
    )
