"""Answers a message: pure but for what is remembered, with the time as an argument.

What depends on the client is decided once for its network and kept. A message whose bytes are as
those of an earlier one (but for its number) gets the same answer, if that depends on nothing else.
"""

from __future__ import annotations

import struct
from typing import Final

from headrace.bounded import BoundedMemory
from headrace.config.router.dns import Dns
from headrace.router.dns import wire
from headrace.router.dns.cookies import Cookies
from headrace.router.dns.decided import DecidedAnswers, Decides
from headrace.router.dns.lookup import V4_BYTES, V6_BYTES, Lookup
from headrace.router.dns.query import SILENCE, UNUSUAL, Query, Refusal, Shape, read_query
from headrace.router.dns.rate_limit import Allowed, RateLimit, network_of
from headrace.router.dns.section import Section
from headrace.router.dns.uncommon import Uncommon
from headrace.router.dns.zones import Zone, Zones
from headrace.telemetry.metrics import WorkerMetrics

_REPEATED_FLAGS: Final = wire.RD | wire.CD
_AFTER_ID: Final = struct.Struct(">HHHHH")
_ALL: Final = Allowed.ALL
_TRUNCATED: Final = wire.TC >> 8

_Asked = bytes | tuple[bytes, bytes]
"""A message from its flags on; with the client's network where the answer depends on that."""
_Whole = tuple[bytes, str, str, bool]
"""An answer from its flags on, the words that it is counted by, and whether it has a subnet."""
# Stands where the answer depends on the client's network: that is then part of the key.
_BY_NETWORK: Final[_Whole] = (b"", "", "", False)


class Answerer:
    """Answers queries for one configuration, one description of the network and one routing."""

    def __init__(
        self, config: Dns, zones: Zones, routing: Decides, cookies: Cookies, metrics: WorkerMetrics
    ) -> None:
        half_bytes = config.limits.memory_bytes // 2
        self._lookup = Lookup(zones, DecidedAnswers(config, routing), half_bytes)
        self._cookies = cookies
        self._metrics = metrics
        self._limit = RateLimit(config.limits.responses_per_second, config.limits.slip)
        self._limited = bool(config.limits.responses_per_second)
        self._uncommon = Uncommon()
        self._whole: BoundedMemory[_Asked, _Whole] = BoundedMemory(half_bytes, _whole_bytes)
        self._whole_entries = self._whole.entries

    def answer(self, data: bytes, client: bytes, now_s: int, *, udp: bool = True) -> bytes | None:
        """Return the answer to a message from an address of 4 or 16 bytes; None for silence."""
        if udp:
            kept = self._whole_entries.get(data[2:])
            if kept is _BY_NETWORK:
                network = client[: V4_BYTES if len(client) == 4 else V6_BYTES]
                kept = self._whole_entries.get((data[2:], network))
            if kept is not None and (
                not self._limited or self._limit.count(network_of(client), now_s) is _ALL
            ):
                answer, type_word, code_word, subnet = kept
                metrics = self._metrics
                metrics.dns_queries[type_word] += 1
                metrics.dns_answers[code_word] += 1
                metrics.dns_subnets += subnet
                return data[:2] + answer
        query = read_query(data)
        if type(query) is Query:
            return self._answer(query, data, client, now_s, udp=udp)
        return self._answer_other(query, data, client, now_s, udp=udp)

    def _answer(
        self, query: Query, data: bytes, client: bytes, now_s: int, *, udp: bool
    ) -> bytes | None:
        metrics = self._metrics
        type_word = wire.TYPE_WORDS.get(query.kind, wire.OTHER_TYPE)
        metrics.dns_queries[type_word] += 1
        options = b""
        known = False
        if query.cookie is not None:
            cookie, known = self._cookies.reply(query.cookie, client, now_s)
            options = wire.option(wire.COOKIE_OPTION, cookie)
        if udp and not known and self._limited:
            allowed = self._limit.count(network_of(client), now_s)
            if allowed is not _ALL:
                return self._answer_limited(allowed, query, data, options)
        zone, section = self._lookup.find(query, client)
        subnet = query.subnet
        if subnet is not None:
            metrics.dns_subnets += 1
            scope = section.scope if query.address is not None else 0
            said = subnet[:3] + bytes((scope,)) + subnet[4:]
            options = wire.option(wire.SUBNET_OPTION, said) + options
        metrics.dns_answers[section.word] += 1
        answer = self._message(query, zone, section, options, udp=udp)
        # Of names in mixed case, as careful resolvers ask for, the same never comes again.
        if (
            udp
            and query.cookie is None
            and query.question.startswith(query.name)
            and not answer[0] & _TRUNCATED
        ):
            whole = (answer, type_word, section.word, subnet is not None)
            self._keep(data[2:], query, section, client, whole)
        return data[:2] + answer

    def _keep(
        self, asked: bytes, query: Query, section: Section, client: bytes, whole: _Whole
    ) -> None:
        """Remember an answer for the same message, if it depends on no more than the network."""
        if section.decided and query.address is None:
            network = client[: V4_BYTES if len(client) == 4 else V6_BYTES]
            if section.scope > 8 * len(network):
                return
            self._whole.put(asked, _BY_NETWORK)
            self._whole.put((asked, network), whole)
            return
        self._whole.put(asked, whole)

    def _message(
        self, query: Query, zone: Zone | None, section: Section, options: bytes, *, udp: bool
    ) -> bytes:
        """Put an answer together, from its flags on; one too long is truncated to its question."""
        flags = query.flags & _REPEATED_FLAGS | section.flags
        records = section.records
        authorities = 0
        if section.negative and zone is not None:
            authorities = 1
            at = wire.HEADER_BYTES + len(query.name) - len(zone.name)
            records = wire.pointer(at) + zone.soa
        udp_bytes = query.udp_bytes
        opt = wire.edns(0, query.edns_flags, options) if udp_bytes else b""
        if udp:
            most = min(udp_bytes or wire.PLAIN_UDP_BYTES, wire.LARGEST_UDP_BYTES)
            if wire.HEADER_BYTES + len(query.question) + len(records) + len(opt) > most:
                self._metrics.dns_truncated += 1
                return _bare(flags | wire.TC, query.question, opt)
        head = _AFTER_ID.pack(flags, 1, section.count, authorities, 1 if opt else 0)
        return head + query.question + records + opt

    def _answer_limited(
        self, allowed: Allowed, query: Query, data: bytes, options: bytes
    ) -> bytes | None:
        """Answer a network that has had its share: to try over TCP, or nothing."""
        self._metrics.dns_limited[allowed.name.lower()] += 1
        if allowed is Allowed.NOTHING:
            return None
        flags = query.flags & _REPEATED_FLAGS | wire.QR | wire.TC
        opt = wire.edns(0, query.edns_flags, options) if query.udp_bytes else b""
        return data[:2] + _bare(flags, query.question, opt)

    def _answer_other(
        self, read: Refusal | Shape | Query, data: bytes, client: bytes, now_s: int, *, udp: bool
    ) -> bytes | None:
        """Answer what is no plain query."""
        if read is UNUSUAL:
            query = self._uncommon.read(data, now_s)
            if isinstance(query, Query):
                return self._answer(query, data, client, now_s, udp=udp)
            read = SILENCE if query is None else query
        if not isinstance(read, Refusal):
            self._metrics.dns_malformed += 1
            return None
        if read.rcode == wire.FORMERR:
            self._metrics.dns_malformed += 1
        if udp and self._limit.count(network_of(client), now_s) is not _ALL:
            self._metrics.dns_limited[Allowed.NOTHING.name.lower()] += 1
            return None
        self._metrics.dns_answers[wire.RCODE_WORDS[read.rcode]] += 1
        flags = read.flags & (_REPEATED_FLAGS | wire.OPCODE) | wire.QR | read.rcode & 0xF
        opt = wire.edns(read.rcode, 0, b"") if read.udp_bytes else b""
        return data[:2] + _bare(flags, read.question, opt)


def _whole_bytes(asked: _Asked, whole: _Whole) -> int:
    """Return what a kept answer takes: about twice its message and itself, and the objects."""
    message = asked if isinstance(asked, bytes) else asked[0]
    return 300 + 2 * len(message) + len(whole[0])


def _bare(flags: int, question: bytes, opt: bytes) -> bytes:
    """Return a message without records, from its flags on."""
    return _AFTER_ID.pack(flags, 1 if question else 0, 0, 0, 1 if opt else 0) + question + opt
