"""Two servers on a link each to one router, and what each side is configured with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

from headrace.bgp.announcement import Announcement
from headrace.bgp.session import Session
from tests.harness.namespaces import Namespace, Namespaces

ROUTER_AS = 64500
SITE_AS = 64510
VIPS = ("192.0.2.1/32", "192.0.2.2/32")
VIPS_V6 = ("2001:db8::1/128", "2001:db8::2/128")
PASSWORD = "cl;ever pass' {word}#"
"""Of letters that configurations take for their own; BIRD has no way to write a quotation mark."""
NEXT = ("10.99.1.2", "10.99.2.2")
NEXT_V6 = ("fd99:1::2", "fd99:2::2")


@dataclass
class Site:
    """The namespaces; server n is joined to the router by `to1`, `sn` on the router's side."""

    router: Namespace
    servers: list[Namespace]


def make_site(namespaces: Namespaces, servers: int = 2) -> Site:
    """Make and wire them."""
    router = namespaces.add("router")
    made = []
    for number in range(1, servers + 1):
        server = namespaces.add(f"server{number}")
        namespaces.link(
            (server, "to1", [f"10.99.{number}.2/30", f"fd99:{number}::2/64"]),
            (router, f"s{number}", [f"10.99.{number}.1/30", f"fd99:{number}::1/64"]),
        )
        made.append(server)
    return Site(router, made)


def session(number: int, *, v6: bool = False, **changes: object) -> Session:
    """The session of a server with the router."""
    peer, local = (
        (f"fd99:{number}::1", f"fd99:{number}::2")
        if v6
        else (f"10.99.{number}.1", f"10.99.{number}.2")
    )
    made = Session(
        peer=ip_address(peer),
        local=ip_address(local),
        peer_as=ROUTER_AS,
        local_as=SITE_AS,
        router_id=IPv4Address(f"10.99.{number}.2"),
        hold_time_s=3,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def announcement(prefix: str, med: int = 100, **more: object) -> Announcement:
    """An announcement as a plan would make it."""
    return Announcement(ip_network(prefix), med=med, **more)  # type: ignore[arg-type]


def bird_neighbor(number: int, *, v6: bool = False, more: str = "", export: str = "none") -> str:
    """The router's side of a session, in BIRD's words."""
    version = 6 if v6 else 4
    net = f"fd99:{number}::" if v6 else f"10.99.{number}."
    return f"""
protocol bgp s{number}v{version} {{
    local {net}1 as {ROUTER_AS};
    neighbor {net}2 as {SITE_AS};
    hold time 3; error wait time 1,2; connect retry time 2;
    {more}
    ipv{version} {{ import all; export {export}; }};
}}
"""


def write_password(directory: Path) -> Path:
    """A file with the password."""
    file = directory / "md5"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    return file
