"""What FRR's bgpd is told, as commands, and what it says. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from headrace.bgp.announcement import Announcement, Family, IPNetwork
from headrace.bgp.events import Attributes, DownReason, SessionKey
from headrace.bgp.polled import Seen

MARK = "headrace-"
MOST_DETAIL = 200
MOST_PATH = 64
MAP_LETTERS = 16


def map_commands(announcement: Announcement, local_as: int) -> list[str]:
    """Return what a route map sets on an announcement, in bgpd's words."""
    words = []
    if announcement.med is not None:
        words.append(f"set metric {announcement.med}")
    if announcement.local_preference is not None:
        words.append(f"set local-preference {announcement.local_preference}")
    if announcement.prepend:
        words.append(f"set as-path prepend {' '.join([str(local_as)] * announcement.prepend)}")
    if announcement.communities:
        words.append(f"set community {_listed(announcement.communities)}")
    if announcement.large_communities:
        words.append(f"set large-community {_listed(announcement.large_communities)}")
    if announcement.next_hop is not None:
        kind = "ip next-hop" if announcement.next_hop.version == 4 else "ipv6 next-hop global"
        words.append(f"set {kind} {announcement.next_hop}")
    return words


def map_name(commands: Iterable[str]) -> str:
    """Return the name of a route map, which its content makes: none is ever changed, because bgpd
    waits five seconds until a changed one counts.
    """
    return MARK + hashlib.sha256("\n".join(commands).encode()).hexdigest()[:MAP_LETTERS]


def read_networks(running: str) -> dict[IPNetwork, str]:
    """Return what was announced here with which route map, from bgpd's `show running-config`."""
    found: dict[IPNetwork, str] = {}
    for line in running.splitlines():
        words = line.split()
        if (
            words[:1] == ["network"]
            and words[2:3] == ["route-map"]
            and words[3:4]
            and words[3].startswith(MARK)
        ):
            with suppress(ValueError):
                found[ip_network(words[1])] = words[3]
    return found


def read_maps(running: str) -> set[str]:
    """Return the route maps that were made here."""
    return set(re.findall(rf"^route-map ({MARK}[0-9a-f]+) ", running, re.MULTILINE))


def commands(running: str, announcements: Iterable[Announcement], local_as: int) -> list[str]:
    """Return what brings bgpd from its running configuration to these announcements.

    What is new comes before what goes. Nothing that was not made here is touched.
    """
    wanted = {one.prefix: map_commands(one, local_as) for one in announcements}
    there, maps = read_networks(running), read_maps(running)
    said: list[str] = []
    for words in wanted.values():
        name = map_name(words)
        if name not in maps:
            maps.add(name)
            said += [f"route-map {name} permit 10", *words, "exit"]
    for family in Family:
        lines = _networks(family, wanted, there)
        if lines:
            said += [f"router bgp {local_as}", f"address-family ipv{family.value} unicast"]
            said += [*lines, "exit-address-family", "exit"]
    used = {map_name(words) for words in wanted.values()}
    said += [f"no route-map {name}" for name in sorted(maps - used)]
    return said


def _networks(
    family: Family, wanted: Mapping[IPNetwork, list[str]], there: Mapping[IPNetwork, str]
) -> list[str]:
    lines = []
    for prefix, words in wanted.items():
        if prefix.version == family.value and there.get(prefix) != map_name(words):
            lines.append(f"network {prefix} route-map {map_name(words)}")
    for prefix in there:
        if prefix.version == family.value and prefix not in wanted:
            lines.append(f"no network {prefix}")
    return lines


def _listed(communities: Iterable[tuple[int, ...]]) -> str:
    return " ".join(":".join(str(part) for part in one) for one in sorted(communities))


class _Neighbor(msgspec.Struct, rename="camel"):
    bgp_state: str = ""
    last_reset_due_to: str = ""
    last_notification_reason: str = ""


class _Route(msgspec.Struct, rename="camel"):
    path: str = ""
    metric: int | None = None
    loc_prf: int | None = None


class _Routes(msgspec.Struct):
    routes: dict[str, list[_Route]] = {}


_neighbors = msgspec.json.Decoder(dict[str, Any])
_routes = msgspec.json.Decoder(_Routes)


def read_neighbors(text: str) -> dict[SessionKey, Seen]:
    """Return how sessions are, from `show bgp neighbors json`. Raises ValueError."""
    try:
        read = _neighbors.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"bgpd says what cannot be read: {error}") from None
    found = {}
    for address, fields in read.items():
        with suppress(ValueError, msgspec.ValidationError):
            neighbor = msgspec.convert(fields, _Neighbor)
            found[SessionKey(ip_address(address))] = _seen(neighbor)
    return found


def _seen(neighbor: _Neighbor) -> Seen:
    if neighbor.bgp_state == "Established":
        return Seen(True)
    detail = neighbor.last_notification_reason or neighbor.last_reset_due_to
    words = detail.lower()
    for part, reason in (
        ("bad peer as", DownReason.WRONG_AS),
        ("hold timer", DownReason.HOLD_TIMER),
        ("bfd", DownReason.BFD),
        ("maximum number of prefixes", DownReason.TOO_MANY_PREFIXES),
        ("peer closed", DownReason.PEER_CLOSED),
        ("notification", DownReason.NOTIFIED),
        ("cease", DownReason.NOTIFIED),
        ("error", DownReason.MALFORMED),
    ):
        if part in words:
            return Seen(False, reason, detail[:MOST_DETAIL])
    return Seen(False, None, detail[:MOST_DETAIL])


def read_routes(text: str) -> dict[IPNetwork, Attributes]:
    """Return prefixes with their attributes, from `show bgp … neighbors … routes json`.

    Communities are not in it. Raises ValueError.
    """
    try:
        read = _routes.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"bgpd says what cannot be read: {error}") from None
    found: dict[IPNetwork, Attributes] = {}
    for prefix, ways in read.routes.items():
        with suppress(ValueError, IndexError):
            first = ways[0]
            path = tuple(int(one) for one in re.findall(r"[0-9]{1,10}", first.path)[:MOST_PATH])
            found[ip_network(prefix)] = Attributes(path, first.metric, first.loc_prf)
    return found
