"""What BIRD is told, a file that its configuration includes, and what it says. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address, ip_network

from headrace.bgp.announcement import Announcement, Family, IPNetwork
from headrace.bgp.events import Attributes, DownReason, SessionKey
from headrace.bgp.polled import Seen

MOST_DETAIL = 200
MOST_PATH = 64
MOST_COMMUNITIES = 32
HEAD = """\
# Written by Headrace: what is changed here is lost.
filter headrace {
    if proto != "headrace4" && proto != "headrace6" then reject;
    if defined(bgp_med) then bgp_med = bgp_med;
    if defined(bgp_next_hop) then bgp_next_hop = bgp_next_hop;
    accept;
}
"""
"""BIRD drops metrics and next hops towards another AS, unless the export filter itself sets them.
The filter is always the same, so a soft reload, which leaves filters alone, is enough.
"""


def include_text(announcements: Iterable[Announcement], local_as: int) -> str:
    """Return the file: a static protocol for each family, and the filter `headrace` for exports.

    The routes are black holes: while a VIP is not bound, its packets do not go back to the router.
    """
    listed = sorted(announcements, key=lambda one: (one.prefix.version, one.prefix))
    parts = [HEAD]
    for family in Family:
        parts.append(f"protocol static headrace{family.value} {{\n    ipv{family.value};\n")
        parts += [_route(one, local_as) for one in listed if one.family is family]
        parts.append("}\n")
    return "".join(parts)


def _route(announcement: Announcement, local_as: int) -> str:
    words = []
    if announcement.next_hop is not None:
        words.append(f"bgp_next_hop = {announcement.next_hop};")
    if announcement.med is not None:
        words.append(f"bgp_med = {announcement.med};")
    if announcement.local_preference is not None:
        words.append(f"bgp_local_pref = {announcement.local_preference};")
    words += [f"bgp_path.prepend({local_as});"] * announcement.prepend
    words += [
        f"bgp_community.add(({one}, {two}));" for one, two in sorted(announcement.communities)
    ]
    words += [
        f"bgp_large_community.add(({one}, {two}, {three}));"
        for one, two, three in sorted(announcement.large_communities)
    ]
    attributes = f" {{ {' '.join(words)} }}" if words else ""
    return f"    route {announcement.prefix} blackhole{attributes};\n"


_BGP = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s+BGP\s")


def read_protocols(text: str) -> dict[SessionKey, tuple[str, Seen]]:
    """Return the BGP sessions with the names of their protocols, from `show protocols all`."""
    found = {}
    for name, fields in _sections(text):
        with suppress(KeyError, ValueError):
            session = SessionKey(ip_address(fields["Neighbor address"].split("%")[0]))
            found[session] = (name, _seen(fields))
    return found


def _sections(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    # Split at BIRD's own ends of lines alone: routers' messages may have other ones in them.
    name, fields = "", dict[str, str]()
    for line in [*text.split("\n"), "end"]:
        if line[:1].strip():
            if name:
                yield name, fields
            started = _BGP.match(line)
            name, fields = (started["name"] if started else ""), {}
        elif ":" in line:
            key, value = line.split(":", 1)
            fields.setdefault(key.strip(), value.strip())


def _seen(fields: dict[str, str]) -> Seen:
    if fields.get("BGP state") == "Established":
        return Seen(True)
    detail = fields.get("Last error", "")[:MOST_DETAIL]
    return Seen(False, _reason(detail) if detail else None, detail)


def _reason(text: str) -> DownReason:
    """Return why a session is down, from BIRD's words for it."""
    words = text.lower()
    for part, reason in (
        ("bad peer as", DownReason.WRONG_AS),
        ("hold timer", DownReason.HOLD_TIMER),
        ("bfd", DownReason.BFD),
        ("prefixes", DownReason.TOO_MANY_PREFIXES),
        ("route limit", DownReason.TOO_MANY_PREFIXES),
        ("socket: connection", DownReason.PEER_CLOSED),
        ("socket:", DownReason.CONNECTING),
        ("received:", DownReason.NOTIFIED),
        ("error:", DownReason.MALFORMED),
    ):
        if part in words:
            return reason
    return DownReason.OTHER


def read_routes(text: str) -> dict[IPNetwork, Attributes]:
    """Return the prefixes with their attributes, from `show route protocol … all`."""
    found: dict[IPNetwork, Attributes] = {}
    prefix: IPNetwork | None = None
    fields: dict[str, str] = {}
    for line in [*text.split("\n"), "end"]:
        if line[:1].strip():
            if prefix is not None:
                found[prefix] = _attributes(fields)
            prefix, fields = None, {}
            with suppress(ValueError):
                prefix = ip_network(line.split()[0], strict=False)
        elif line.strip().startswith("BGP.") and ":" in line:
            key, value = line.strip().removeprefix("BGP.").split(":", 1)
            fields[key] = value.strip()
    return found


_PAIR = re.compile(r"\(([0-9]{1,5}), ?([0-9]{1,5})\)")
_TRIPLE = re.compile(r"\(([0-9]{1,10}), ?([0-9]{1,10}), ?([0-9]{1,10})\)")


def _attributes(fields: dict[str, str]) -> Attributes:
    path = re.findall(r"[0-9]{1,10}", fields.get("as_path", ""))[:MOST_PATH]
    pairs = re.findall(r"\(([0-9]{1,5}), ?([0-9]{1,5})\)", fields.get("community", ""))
    triples = re.findall(
        r"\(([0-9]{1,10}), ?([0-9]{1,10}), ?([0-9]{1,10})\)", fields.get("large_community", "")
    )
    return Attributes(
        as_path=tuple(int(one) for one in path),
        med=_number(fields.get("med")),
        local_preference=_number(fields.get("local_pref")),
        communities=frozenset((int(a), int(b)) for a, b in pairs[:MOST_COMMUNITIES]),
        large_communities=frozenset(
            (int(a), int(b), int(c)) for a, b, c in triples[:MOST_COMMUNITIES]
        ),
    )


def _number(text: str | None) -> int | None:
    right = text is not None and re.fullmatch(r"[0-9]{1,10}", text)
    return int(text) if text is not None and right else None
