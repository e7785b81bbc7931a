"""Answers a message: pure but for what is remembered, with the time as an argument.

What depends on the client is decided once for its network and kept, and so is what most messages
are but for their name and client: then an answer is put together of pieces that are ready.
"""

from __future__ import annotations

import struct
from typing import Final

from headrace.config.router.dns import Dns
from headrace.router.dns import wire
from headrace.router.dns.cookies import Cookies
from headrace.router.dns.decided import MOST_SHARED, DecidedAnswers, Decides, Shared
from headrace.router.dns.lookup import V4_BYTES, V6_BYTES, Lookup
from headrace.router.dns.query import (
    SILENCE,
    UNUSUAL,
    NoQuery,
    Query,
    Refusal,
    name_end,
    read_query,
)
from headrace.router.dns.rate_limit import Allowed, RateLimit, network_of
from headrace.router.dns.section import Section
from headrace.router.dns.shapes import COOKIE_24, REPEATED_FLAGS, Layout, Shape, Shapes
from headrace.router.dns.uncommon import Uncommon
from headrace.router.dns.zones import Node, Zone, Zones
from headrace.router.tallies import Tallies
from headrace.routing.alike import DECIDE
from headrace.telemetry.metrics import WorkerMetrics

_ALL: Final = Allowed.ALL
_AFTER_ID: Final = struct.Struct(">HHHHH")


class Answerer:
    """Answers queries for one configuration, one description of the network and one routing."""

    def __init__(
        self,
        config: Dns,
        zones: Zones,
        routing: Decides,
        cookies: Cookies,
        metrics: WorkerMetrics,
        tallies: Tallies,
    ) -> None:
        decided = DecidedAnswers(config, routing, tallies)
        self._lookup = Lookup(zones, decided, config.limits.memory_bytes // 2)
        self._decided = self._lookup.entries
        self._shared, self._kept = decided.shared, decided.kept
        self._zones = zones
        self._names, self._matched = zones.names, zones.matched
        self._shapes = Shapes()
        self._layouts = self._shapes.layouts
        self._cookies = cookies
        self._metrics = metrics
        self._limit = RateLimit(config.limits.responses_per_second, config.limits.slip)
        self._limited = bool(config.limits.responses_per_second)
        self._uncommon = Uncommon()

    def answer(self, data: bytes, client: bytes, now_s: int, *, udp: bool = True) -> bytes | None:
        """Return the answer to a message from an address of 4 or 16 bytes; None for silence."""
        if udp:
            end = data.find(0, wire.HEADER_BYTES) + 1
            for layout in self._layouts.get(len(data) - end, ()):
                if data[layout.between] == layout.said_between:
                    shape = layout.entries.get(data[2:12] + data[end : layout.cut])
                    if shape is not None:
                        reply = self._answer_known(shape, layout, data, end, client, now_s)
                        if reply is not None:
                            return reply
                        break
        query = read_query(data)
        if type(query) is Query:
            return self._answer(query, data, client, now_s, udp=udp)
        return self._answer_other(query, data, client, now_s, udp=udp)

    def _answer_known(
        self, shape: Shape, layout: Layout, data: bytes, end: int, client: bytes, now_s: int
    ) -> bytes | None:
        """Answer a message of a known shape; None where it must be read. `end` is that of its name,
        if it has no zero before its end.

        This is all that is done for nearly all messages, mostly in one piece, since a call costs as
        much as a look into a table.
        """
        name = data[wire.HEADER_BYTES : end].lower()
        node = self._names.get(name) or self._matched.get(name) or self._find(name, data, end)
        if node is None:
            return None
        if layout.has_subnet:
            network = data[layout.deciding]
        else:
            network = client[:V4_BYTES] if len(client) == 4 else client[:V6_BYTES]
        kind = shape.kind
        shared = self._shared.get((node, kind))
        if shared is None:
            section = node.sections.get(kind) or self._decided.get((node, kind, network))
        else:
            section = shared.seen.get(network)
            if section is None:
                section = self._of_new(shared, node, kind, network)
        if section is None or not section.ready:
            if self._limited and self._limit.has_none_left(client, now_s):
                return None
            asker = data[layout.subnet] + layout.rest if layout.has_subnet else client
            section = self._lookup.section(node, kind, asker)
        flags = shape.flags
        if not section.ready:
            if section.rcode != wire.NXDOMAIN:
                return None
            flags = shape.denial_flags
        records = section.records
        if section.negative:
            records = wire.pointer(end - len(node.zone.name)) + node.zone.soa
        if end + len(records) > shape.most:
            return None
        question = data[wire.HEADER_BYTES : end + 4]
        pieces = [
            data[:2], flags, section.counts, shape.additional, question, records, shape.opt
        ]  # fmt: skip
        if layout.has_subnet:
            pieces += (section.scope_byte, data[layout.subnet])
        known = False
        if layout.has_cookie:
            reply, known = self._cookies.reply(data[layout.cookie], client, now_s)
            pieces += (COOKIE_24, reply)
        if self._limited and not known and self._limit.is_spent(client, now_s):
            return None
        section.routed.number += 1
        if section.ready:
            shape.tally.count += 1
        else:
            shape.tally.denials += 1
        return b"".join(pieces)

    def _find(self, name: bytes, data: bytes, end: int) -> Node | None:
        """Return what a name has that was not asked for lately; None where it is none of ours, or
        has a zero before its end.
        """
        return self._zones.find(name) if name_end(data, wire.HEADER_BYTES) == end else None

    def _of_new(self, shared: Shared, node: Node, kind: int, network: bytes) -> Section | None:
        """Return the answer for a network that was not seen lately, if there is one."""
        alike = shared.find(network)
        if alike == DECIDE:
            return self._decided.get((node, kind, network))
        section = self._kept.get(alike * MOST_SHARED + shared.number)
        if section is not None:
            shared.note(network, section)
        return section

    def note_counts(self) -> None:
        """Add to the metrics what was counted aside."""
        self._shapes.add_to(self._metrics)

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
        if udp:
            self._shapes.note(data, query)
        return data[:2] + self._message(query, zone, section, options, udp=udp)

    def _message(
        self, query: Query, zone: Zone | None, section: Section, options: bytes, *, udp: bool
    ) -> bytes:
        """Put an answer together, from its flags on; one too long is truncated to its question."""
        flags = query.flags & REPEATED_FLAGS | section.flags
        records = section.records
        authorities = 0
        if section.negative and zone is not None:
            authorities = 1
            at = wire.HEADER_BYTES + len(query.name) - len(zone.name)
            records = wire.pointer(at) + zone.soa
        udp_bytes = query.udp_bytes
        # There are no records where there is an error: it fits, whatever else is said.
        opt = wire.edns(0, query.edns_flags, options + section.error) if udp_bytes else b""
        if udp:
            most = min(udp_bytes or wire.PLAIN_UDP_BYTES, wire.LARGEST_UDP_BYTES)
            if wire.HEADER_BYTES + len(query.question) + len(records) + len(opt) > most:
                self._metrics.dns_truncated += 1
                return _bare(flags | wire.TC, query.question, opt)
        section.routed.number += 1
        head = _AFTER_ID.pack(flags, 1, section.count, authorities, 1 if opt else 0)
        return head + query.question + records + opt

    def _answer_limited(
        self, allowed: Allowed, query: Query, data: bytes, options: bytes
    ) -> bytes | None:
        """Answer a network that has had its share: to try over TCP, or nothing."""
        self._metrics.dns_limited[allowed.name.lower()] += 1
        if allowed is Allowed.NOTHING:
            return None
        flags = query.flags & REPEATED_FLAGS | wire.QR | wire.TC
        opt = wire.edns(0, query.edns_flags, options) if query.udp_bytes else b""
        return data[:2] + _bare(flags, query.question, opt)

    def _answer_other(
        self, read: Refusal | NoQuery | Query, data: bytes, client: bytes, now_s: int, *, udp: bool
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
        flags = read.flags & (REPEATED_FLAGS | wire.OPCODE) | wire.QR | read.rcode & 0xF
        opt = wire.edns(read.rcode, 0, b"") if read.udp_bytes else b""
        return data[:2] + _bare(flags, read.question, opt)


def _bare(flags: int, question: bytes, opt: bytes) -> bytes:
    """Return a message without records, from its flags on."""
    return _AFTER_ID.pack(flags, 1 if question else 0, 0, 0, 1 if opt else 0) + question + opt
