"""The records that do not depend on who asks: those of a zone's configuration, those of servers.

The data of configured records is what their model made of them with dnspython. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from headrace.config.router.dns import DnsZone
from headrace.router.dns import wire
from headrace.router.dns.section import Section, section_of
from headrace.topology.model import Server

REFRESH_S = 7200
RETRY_S = 900
EXPIRE_S = 1_209_600
HTTPS_PORT = 443
KINDS = {word: kind for kind, word in wire.TYPE_WORDS.items()}


@dataclass(slots=True)
class Records:
    """The records of a name: by type, their data and the time that they may be kept (None: as long
    as the zone says).
    """

    data: dict[int, list[bytes]] = field(default_factory=dict)
    ttls_s: dict[int, int] = field(default_factory=dict)

    def add(self, kind: int, data: bytes, ttl_s: int | None = None) -> None:
        """Add a record; the records of a type share the shortest time (RFC 2181 section 5.2)."""
        self.data.setdefault(kind, []).append(data)
        if ttl_s is not None:
            self.ttls_s[kind] = min(ttl_s, self.ttls_s.get(kind, ttl_s))

    def sections(self, ttl_s: int) -> dict[int, Section]:
        """Return the answers, by type."""
        return {
            kind: section_of(kind, self.ttls_s.get(kind, ttl_s), data)
            for kind, data in self.data.items()
        }


@dataclass(slots=True)
class ZoneRecords:
    """A zone's own records by name, and its SOA for negative answers, behind its owner's name."""

    soa: bytes
    names: dict[bytes, Records]


def records_of_zone(zone: DnsZone) -> ZoneRecords:
    """Return the records of a zone's configuration."""
    name = wire.name_of(zone.name)
    ttl_s, negative_ttl_s = round(zone.ttl_s), round(zone.negative_ttl_s)
    mailbox = zone.mailbox or f"hostmaster@{zone.name}"
    soa = wire.soa_data(
        wire.name_of(zone.nameservers[0]),
        _mailbox_name(mailbox),
        zone.serial,
        (REFRESH_S, RETRY_S, EXPIRE_S, negative_ttl_s),
    )
    apex = Records()
    apex.add(wire.SOA, soa)
    for server in zone.nameservers:
        apex.add(wire.NS, wire.name_of(server))
    names = {name: apex}
    for record in zone.records:
        owner = name if record.name == "@" else wire.name_of(f"{record.name}.{zone.name}")
        records = names.setdefault(owner, Records())
        own_ttl_s = None if record.ttl_s is None else round(record.ttl_s)
        records.add(KINDS[record.type], record.data(zone.name), own_ttl_s)
    negative = wire.record(wire.SOA, min(ttl_s, negative_ttl_s), soa, owner=b"")
    return ZoneRecords(negative, names)


def records_of_server(server: Server, alpn: Sequence[str]) -> Records:
    """Return the records of a server's name."""
    records = Records()
    ipv4 = [address.packed for address in server.client_ipv4]
    ipv6 = [address.packed for address in server.client_ipv6]
    for data in ipv4:
        records.add(wire.A, data)
    for data in ipv6:
        records.add(wire.AAAA, data)
    if server.https_port is not None and (ipv4 or ipv6):
        port = None if server.https_port == HTTPS_PORT else server.https_port
        records.add(
            wire.HTTPS, wire.https_data(1, b"\0", alpn=alpn, port=port, ipv4=ipv4, ipv6=ipv6)
        )
    return records


def _mailbox_name(mailbox: str) -> bytes:
    """Return a mail address as a name: what is before the @ is one label."""
    local, _, domain = mailbox.partition("@")
    return bytes([len(local)]) + local.encode("ascii") + wire.name_of(domain)
