"""Addresses and ports that two servers cannot both have. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.locate import TomlPath
from headrace.config.network.model import NetworkConfig
from headrace.config.network.places import ServerTable
from headrace.config.problems import Problem
from headrace.http.origin_url import parse_origin_url


def repeated_addresses(config: NetworkConfig) -> Iterator[Problem]:
    """Yield a problem for each address, and each name, that has a port twice."""
    seen: dict[tuple[str, int], tuple[int, TomlPath]] = {}
    mids = {site.name for site in config.sites if site.kind == "mid"}
    for index, server in enumerate(config.servers):
        yield from _own_ports(index, server, is_mid=server.site in mids)
        for path, address in _addresses(index, server):
            for port in sorted(ports_of(server)):
                other, first = seen.setdefault((address, port), (index, path))
                if first == path:
                    continue
                whose = "this server" if other == index else f"{config.servers[other].name!r}"
                yield Problem(
                    path=path,
                    value=repr(address),
                    message=f"{whose} has this {_kind(path)} already, with port {port}",
                    remedy="give each server an address and a name of its own, or ports of its own",
                    concerns=(first, *_ports(index), *_ports(other)),
                )
                break
    yield from _repeated_admins(config)


def _repeated_admins(config: NetworkConfig) -> Iterator[Problem]:
    """Yield a problem for each admin API that is two servers', or where one answers clients."""
    serving = {
        (address, port): index
        for index, server in enumerate(config.servers)
        for _path, address in _addresses(index, server)
        for port in ports_of(server)
    }
    seen: dict[str, int] = {}
    for index, server in enumerate(config.servers):
        if server.admin is None:
            continue
        path: TomlPath = ("server", index, "admin")
        first = seen.setdefault(server.admin, index)
        if first != index:
            yield Problem(
                path=path,
                value=repr(server.admin),
                message=f"it is {config.servers[first].name!r}'s already",
                remedy="write where this server's own admin API answers",
                concerns=(("server", first, "admin"),),
            )
        url = parse_origin_url(server.admin)
        other = serving.get((url.host, url.port))
        if other is not None:
            yield Problem(
                path=path,
                value=repr(server.admin),
                message=f"{config.servers[other].name!r} answers clients there",
                remedy="write the address and port of [admin] listen in its edge.toml",
                concerns=_ports(other),
            )


def ports_of(server: ServerTable) -> set[int]:
    """Return the ports that a server listens on."""
    return {server.http_port, server.https_port, server.peer_port} - {0}


def _ports(index: int) -> tuple[TomlPath, ...]:
    return tuple(("server", index, key) for key in ("http_port", "https_port", "peer_port"))


def _addresses(index: int, server: ServerTable) -> Iterator[tuple[TomlPath, str]]:
    yield ("server", index, "host"), server.host
    for key, addresses in (("ipv4", server.ipv4), ("ipv6", server.ipv6)):
        for place, address in enumerate(addresses):
            if address != server.host.strip("[]"):
                yield ("server", index, key, place), address


def _kind(path: TomlPath) -> str:
    return "name" if path[-1] == "host" else "address"


def _own_ports(index: int, server: ServerTable, *, is_mid: bool) -> Iterator[Problem]:
    clients = [port for port in (server.http_port, server.https_port) if port]
    if not clients and not (is_mid and server.peer_port):
        yield Problem(
            path=("server", index),
            message=f"{server.name!r} serves nobody: it has no port",
            remedy="set http_port or https_port",
            concerns=(("server", index), ("site", "kind")),
        )
    if len(clients) == 2 and clients[0] == clients[1]:
        yield Problem(
            path=("server", index, "https_port"),
            value=str(server.https_port),
            message="http_port is the same",
            remedy="give each a port of its own, or set one of them to 0",
        )
    if server.peer_port and server.peer_port in clients:
        yield Problem(
            path=("server", index, "peer_port"),
            value=str(server.peer_port),
            message="clients are served at this port",
            remedy="write 0, and other servers ask where clients do, or a port of its own",
        )
    if server.peer_tls and not (server.peer_port or server.https_port):
        yield Problem(
            path=("server", index, "peer_tls"),
            value="true",
            message="it has no port with TLS, so no other server could ask it",
            remedy="set peer_port, or https_port",
        )
