"""The `[dns]` table of a router: where it answers, for which zones, and within which limits."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from pydantic import AfterValidator, Field, model_validator

from headrace.config.addresses import TcpAddress, parse_address
from headrace.config.base import FilePath, Model
from headrace.config.units import DurationS, SizeBytes

KIB = 1024
MIB = 1024 * KIB
LONGEST_TTL_S = 2**31 - 1
LONGEST_NAME = 253

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
_MAILBOX = re.compile(rf"[A-Za-z0-9._+-]{{1,63}}@{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def _dns_address(text: str) -> str:
    address = parse_address(text)
    if not text.rpartition(":")[0].strip("*"):
        raise ValueError("for all addresses list both 0.0.0.0:53 and [::]:53")
    if not isinstance(address, TcpAddress) or not address.port:
        raise ValueError("DNS needs an IP address and a port: write 192.0.2.53:53 or [::]:53")
    return str(address)


def _domain_name(text: str) -> str:
    name = text.lower().rstrip(".")
    if _NAME.fullmatch(text) is None or len(name) > LONGEST_NAME:
        raise ValueError(
            f"{text!r} is not a domain name: write cdn.example (international names in their "
            "xn-- form)"
        )
    return name


def _record_name(text: str) -> str:
    return text if text == "@" else _domain_name(text)


def _mailbox(text: str) -> str:
    if _MAILBOX.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a mail address: write hostmaster@cdn.example")
    return text


DnsAddress = Annotated[str, AfterValidator(_dns_address)]
DomainName = Annotated[str, AfterValidator(_domain_name)]
Ttl = Annotated[DurationS, Field(ge=0, le=LONGEST_TTL_S)]


class DnsRecord(Model):
    """A record of a zone that does not come from the network's description."""

    name: Annotated[str, AfterValidator(_record_name)] = Field(
        description="The name below the zone (`ns1`), or `@` for the zone itself."
    )
    type: Literal["A", "AAAA", "TXT", "CAA", "CNAME"] = Field(description="The record's type.")
    value: str = Field(
        min_length=1,
        max_length=4096,
        description='The data as zone files have it: `192.0.2.53`, `"some text"`, '
        '`0 issue "ca.example"`, `other.example.` (a name without a final dot is one of the zone).',
    )
    ttl_s: Ttl | None = Field(
        default=None, description="How long others may keep it. Unset: the zone's `ttl`."
    )

    def data(self, zone: str) -> bytes:
        """Return the data in wire form. Raises ValueError."""
        try:
            made = dns.rdata.from_text(
                dns.rdataclass.IN,
                dns.rdatatype.from_text(self.type),
                self.value,
                origin=dns.name.from_text(zone),
                relativize=False,
            ).to_wire()
        except (dns.exception.DNSException, ValueError) as error:
            raise ValueError(
                f"{self.value!r} is no {self.type} record ({error}): write the "
                "data as zone files have it"
            ) from None
        return made or b""

    @model_validator(mode="after")
    def _has_data(self) -> DnsRecord:
        self.data(".")
        return self


class DnsZone(Model):
    """A zone that the router is authoritative for. The zone above delegates it by NS records."""

    name: DomainName = Field(description="The zone's name: `cdn.example`.")
    nameservers: list[DomainName] = Field(
        min_length=1,
        max_length=13,
        description="The names of the servers that answer for the zone, as its parent has them. "
        "Addresses of those inside the zone are `record`s.",
    )
    mailbox: Annotated[str, AfterValidator(_mailbox)] | None = Field(
        default=None, description="Who answers for the zone. Unset: hostmaster@ the zone."
    )
    ttl_s: Ttl = Field(
        default=300.0,
        description="How long others may keep records of the zone, and the addresses of servers. "
        "Where clients are sent is kept as long as the class's `ttl` says.",
    )
    negative_ttl_s: Ttl = Field(
        default=30.0, description="How long others may remember that a record is not there."
    )
    serial: int = Field(default=1, ge=0, lt=2**32, description="The serial number in the SOA.")
    alpn: list[Annotated[str, Field(pattern=r"^[!-~]{1,32}$")]] = Field(
        default=["http/1.1"],
        max_length=8,
        description="The protocols that HTTPS records announce for the servers.",
    )
    records: list[DnsRecord] = Field(
        default=[], max_length=10_000, description="Further records of the zone."
    )

    @model_validator(mode="after")
    def _records_go_together(self) -> DnsZone:
        aliases = [record.name for record in self.records if record.type == "CNAME"]
        for record in self.records:
            if record.name != "@" and len(record.name) + 1 + len(self.name) > LONGEST_NAME:
                raise ValueError(f"{record.name}.{self.name} is longer than a name may be")
            beside = record.type != "CNAME" or aliases.count(record.name) > 1
            if beside and record.name in aliases:
                raise ValueError(f"{record.name} has a CNAME, which must be its only record")
        if "@" in aliases:
            raise ValueError(f"{self.name} has SOA and NS records, and so no CNAME")
        return self


class DnsLimits(Model):
    """What strangers may ask of each worker."""

    responses_per_second: int = Field(
        default=1000,
        ge=0,
        description="UDP responses a second to one client network (IPv4 /24, IPv6 /56). Beyond "
        "that most get none. Clients that show a valid cookie are not counted. 0: no limit.",
    )
    slip: int = Field(
        default=2,
        ge=0,
        le=100,
        description="Of the responses beyond, each so many-th is sent empty and truncated, so that "
        "a true client asks again over TCP. 0: none.",
    )
    memory_bytes: SizeBytes = Field(
        default=32 * MIB,
        ge=64 * KIB,
        description="What answers may take that are kept for repeated questions.",
    )
    connections: int = Field(
        default=500,
        ge=1,
        le=100_000,
        description="TCP connections. When all are taken, a new one takes the place of the one "
        "that was idle longest.",
    )
    connections_per_network: int = Field(
        default=20,
        ge=1,
        description="TCP connections from one client network (IPv4 /24, IPv6 /56).",
    )
    idle_s: DurationS = Field(
        default=10.0,
        gt=0,
        description="A TCP connection without a whole query, or that takes no answers, is closed "
        "after this.",
    )


class Dns(Model):
    """The router as a DNS server."""

    listen: list[DnsAddress] = Field(
        min_length=1,
        max_length=64,
        description="Where to answer, over UDP and TCP: `192.0.2.53:53`, `[2001:db8::53]:53`, "
        "`0.0.0.0:53`. An IPv6 address takes no IPv4 clients: for all of both, list `0.0.0.0:53` "
        "and `[::]:53`.",
    )
    answers: int = Field(
        default=2,
        ge=1,
        le=8,
        description="Servers in an answer, best first, where any server of a site may be asked.",
    )
    shard_answers: int = Field(
        default=1,
        ge=1,
        le=8,
        description="Servers in an answer where the name says the shard.",
    )
    cookie_secret_file: FilePath | None = Field(
        default=None,
        description="A file with the secrets for DNS cookies, one a line, 16 bytes or more each "
        "in hexadecimal; the first makes cookies, all are valid. Give all routers behind one "
        "address the same. Unset: the node makes one of its own.",
    )
    limits: DnsLimits = Field(default_factory=DnsLimits, description="Limits on clients.")
    zones: list[DnsZone] = Field(min_length=1, description="The zones.")

    @model_validator(mode="after")
    def _each_once(self) -> Dns:
        for what, names in (
            ("listen", self.listen),
            ("zone", [zone.name for zone in self.zones]),
        ):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{twice} is in {what} twice: remove one")
        return self
