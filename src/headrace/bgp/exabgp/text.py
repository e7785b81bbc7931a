"""What ExaBGP is told: its configuration, and the commands of its API. Pure."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping

from headrace.bgp.announcement import Announcement, IPNetwork
from headrace.bgp.events import SessionKey
from headrace.bgp.session import Session

PROCESS = "headrace"
FARTHEST_TTL = 255
RELOAD = "reload"
"""The command that takes the configuration as it is now."""


def configuration(
    sessions: Iterable[Session],
    passwords: Mapping[SessionKey, str],
    announcements: Collection[Announcement],
    helper: str,
) -> str:
    """Return the configuration. `helper` is the command of the API's process.

    What is announced already stands in it too: after a restart the routes are then sent before the
    marker that all were, upon which the router drops those that it kept.
    """
    parts = [
        f"process {PROCESS} {{",
        f"    run {helper};",
        "    encoder json;",
        "    respawn false;",
        "}",
    ]
    for session in sessions:
        own = [one for one in announcements if one.family is session.family]
        parts += _neighbor(session, passwords.get(session.key), own)
    return "\n".join(parts) + "\n"


def _neighbor(
    session: Session, password: str | None, announcements: list[Announcement]
) -> Iterable[str]:
    yield f"neighbor {session.peer} {{"
    if session.description:
        yield f'    description "{session.description}";'
    yield f"    router-id {session.router_id};"
    yield f"    local-address {session.local};"
    yield f"    local-as {session.local_as};"
    yield f"    peer-as {session.peer_as};"
    yield f"    hold-time {session.hold_time_s};"
    if session.passive:
        yield "    passive true;"
        yield f"    listen {session.port};"
    else:
        yield "    passive false;"
        yield f"    connect {session.port};"
    if password is not None:
        # Base64, for the password may hold what the configuration takes for its own.
        yield "    md5-base64 true;"
        yield f"    md5-password '{base64.b64encode(password.encode()).decode()}';"
    if session.ttl_security_hops is not None:
        yield f"    outgoing-ttl {FARTHEST_TTL};"
        yield f"    incoming-ttl {FARTHEST_TTL + 1 - session.ttl_security_hops};"
    yield "    adj-rib-out true;"
    yield "    adj-rib-in false;"
    yield f"    family {{ ipv{session.family.value} unicast; }}"
    yield "    capability {"
    yield f"        graceful-restart {session.graceful_restart_s or 'disable'};"
    yield "        route-refresh enable;"
    yield "        asn4 enable;"
    yield "        multi-session disable;"
    yield "        extended-message disable;"
    yield "        add-path disable;"
    yield "    }"
    yield "    api {"
    yield f"        processes [ {PROCESS} ];"
    yield "        neighbor-changes;"
    if session.intake.most:
        yield "        receive { parsed; update; }"
    yield "    }"
    if announcements:
        yield "    static {"
        yield from (f"        {_route(one, session)};" for one in announcements)
        yield "    }"
    yield "}"


def announce_line(sessions: Iterable[Session], announcement: Announcement) -> str:
    """Return the command that announces to all sessions of the prefix's family."""
    own = [one for one in sessions if one.family is announcement.family]
    return f"{_selector(own)} announce {_route(announcement, own[0])}"


def withdraw_line(sessions: Iterable[Session], prefix: IPNetwork) -> str:
    """Return the command that withdraws a prefix, whatever it was announced with."""
    own = [one for one in sessions if one.family.value == prefix.version]
    return f"{_selector(own)} withdraw route {prefix} next-hop self"


def teardown_line(session: SessionKey) -> str:
    """Return the command that ends a session as an administrator does; it is made again."""
    return f"neighbor {session.peer} teardown 2"


def _selector(sessions: list[Session]) -> str:
    return " , ".join(f"neighbor {one.peer}" for one in sessions)


def _route(announcement: Announcement, session: Session) -> str:
    words = [f"route {announcement.prefix} next-hop {announcement.next_hop or 'self'} origin igp"]
    if announcement.med is not None:
        words.append(f"med {announcement.med}")
    if announcement.local_preference is not None:
        words.append(f"local-preference {announcement.local_preference}")
    if announcement.prepend:
        # A path that is written out is sent as it is: ExaBGP does not put the own AS before it.
        times = announcement.prepend + (0 if session.internal else 1)
        words.append(f"as-path [ {' '.join([str(session.local_as)] * times)} ]")
    if announcement.communities:
        words.append(f"community [ {_listed(announcement.communities)} ]")
    if announcement.large_communities:
        words.append(f"large-community [ {_listed(announcement.large_communities)} ]")
    return " ".join(words)


def _listed(communities: Iterable[tuple[int, ...]]) -> str:
    return " ".join(":".join(str(part) for part in one) for one in sorted(communities))
