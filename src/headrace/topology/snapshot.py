"""A description of the network as one file of bytes: compiled once, then only mapped. Pure.

Its values are JSON; the table of coverage, prefixes and the rings of large sites follow as they lie
in memory, so that a worker that maps the file has them without reading them. The same bytes are
kept on disk as the last good description; there a hash tells whether they are whole.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import msgspec

from headrace.errors import HeadraceError
from headrace.topology import ring_bytes
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import ClientNetwork, Coverage, Topology
from headrace.topology.placement import servers_by_site
from headrace.topology.placement_site import SiteRing
from headrace.topology.prefix_set import PrefixSet

_MAGIC = b"HRNETW01"
_HASH_BYTES = 32
_HEAD_LENGTH = struct.Struct(">Q")
_START = len(_MAGIC) + _HASH_BYTES + _HEAD_LENGTH.size
_ALIGNMENT = 8
VERSION_LETTERS = 16


class SnapshotError(HeadraceError):
    """Bytes that are no snapshot, or not a whole one."""


@dataclass(frozen=True, slots=True)
class NetworkSnapshot:
    """A description in force. `version` is a hash of what it says: equal for all who have it.

    The prefixes of its networks and coverage may be left out: workers have them in the table.
    `rings` are those of its large sites, by name.
    """

    topology: Topology
    version: str
    coverage: CoverageTable
    rings: Mapping[str, SiteRing] = field(default_factory=dict)


class _Head(msgspec.Struct):
    """What the JSON says. `prefixes` has the sizes of all sets, networks before coverage; `rings`
    those of the rings, with the names of their sites.
    """

    version: str
    topology: Topology
    prefixes: list[tuple[int, int]]
    coverage_bytes: int
    rings: list[tuple[str, int]] = []


def encode(topology: Topology) -> bytes:
    """Return a topology with its prefixes, its table of coverage and its rings as a snapshot."""
    coverage = CoverageTable(topology).to_bytes()
    sets = [holder.prefixes for holder in _holders(topology)]
    parts = [part for one in sets for part in (one.v4, one.v6)]
    rings = {
        site: ring_bytes.written(SiteRing(servers))
        for site, servers in servers_by_site(topology).items()
        if len(servers) >= ring_bytes.LARGE
    }
    head = _Head(
        version_of(topology),
        _with_prefixes(topology, [PrefixSet()] * len(sets)),
        [(len(one.v4), len(one.v6)) for one in sets],
        len(coverage),
        [(site, len(ring)) for site, ring in rings.items()],
    )
    text = msgspec.json.encode(head, enc_hook=_to_json)
    sections = _aligned(
        [_HEAD_LENGTH.pack(len(text)) + text, coverage, b"".join(parts), *rings.values()]
    )
    return _MAGIC + hashlib.sha256(sections).digest() + sections


def decode(data: memoryview) -> NetworkSnapshot:
    """Return the description in a snapshot without its prefixes, its table and its rings, which
    read `data` for as long as they live.

    The hash is not checked: see `check`. Raises HeadraceError.
    """
    head, coverage, at = _parts(data)
    table = CoverageTable.from_buffer(head.topology, coverage)
    at += sum(size for pair in head.prefixes for size in pair)
    rings = {}
    servers = servers_by_site(head.topology) if head.rings else {}
    for site, size in head.rings:
        at = _after(at)
        rings[site] = ring_bytes.read(servers.get(site, ()), data[at : at + size])
        at += size
    return NetworkSnapshot(head.topology, head.version, table, rings)


def topology_of(data: memoryview) -> Topology:
    """Return the topology with its prefixes, whoever wrote the table. Raises SnapshotError."""
    head, _coverage, at = _parts(data)
    return _with_prefixes(head.topology, list(_prefix_sets(data, at, head.prefixes)))


def _parts(data: memoryview) -> tuple[_Head, memoryview, int]:
    """Return the values, the table, and where the prefixes begin. Raises SnapshotError."""
    if len(data) < _START or data[: len(_MAGIC)] != _MAGIC:
        raise SnapshotError("not a snapshot of a network that this version of Headrace knows")
    (head_bytes,) = _HEAD_LENGTH.unpack_from(data, _START - _HEAD_LENGTH.size)
    try:
        head = _head_decoder.decode(data[_START : _START + head_bytes])
    except (msgspec.DecodeError, ValueError, re.error) as error:
        raise SnapshotError(f"its values cannot be read: {error}") from error
    at = _after(_START + head_bytes)
    coverage = data[at : at + head.coverage_bytes]
    at = _after(at + head.coverage_bytes)
    sizes = [size for pair in head.prefixes for size in pair]
    rings = [size for _site, size in head.rings]
    if head.coverage_bytes < 0 or any(size < 0 for size in (*sizes, *rings)):
        raise SnapshotError("a part of it has no size")
    end = at + sum(sizes)
    for size in rings:
        end = _after(end) + size
    if len(data) != end:
        raise SnapshotError("it has not the length that it says")
    return head, coverage, at


def check(data: memoryview) -> None:
    """Check that a snapshot is whole. Raises SnapshotError."""
    told = data[len(_MAGIC) : len(_MAGIC) + _HASH_BYTES]
    if hashlib.sha256(data[len(_MAGIC) + _HASH_BYTES :]).digest() != told:
        raise SnapshotError("it is torn or was changed: its hash is another's")


def version_of(topology: Topology) -> str:
    """Return the hash of what a description says."""
    found = hashlib.sha256()
    sets = [holder.prefixes for holder in _holders(topology)]
    bare = _with_prefixes(topology, [PrefixSet()] * len(sets))
    found.update(msgspec.json.encode(bare, enc_hook=_to_json))
    for one in sets:
        for part in (one.v4, one.v6):
            found.update(_HEAD_LENGTH.pack(len(part)))
            found.update(part)
    return found.hexdigest()[:VERSION_LETTERS]


def _holders(topology: Topology) -> Iterator[ClientNetwork | Coverage]:
    yield from topology.networks
    yield from topology.coverage


def _with_prefixes(topology: Topology, sets: list[PrefixSet]) -> Topology:
    first = len(topology.networks)
    if len(sets) != first + len(topology.coverage):
        raise SnapshotError("it has not as many sets of prefixes as it names")
    return replace(
        topology,
        networks=tuple(
            replace(network, prefixes=one)
            for network, one in zip(topology.networks, sets[:first], strict=True)
        ),
        coverage=tuple(
            replace(coverage, prefixes=one)
            for coverage, one in zip(topology.coverage, sets[first:], strict=True)
        ),
    )


def _prefix_sets(data: memoryview, at: int, sizes: list[tuple[int, int]]) -> Iterator[PrefixSet]:
    for v4_bytes, v6_bytes in sizes:
        v4, at = bytes(data[at : at + v4_bytes]), at + v4_bytes
        v6, at = bytes(data[at : at + v6_bytes]), at + v6_bytes
        yield PrefixSet(v4, v6)


def _after(size: int) -> int:
    """Return where the next section begins."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _aligned(sections: list[bytes]) -> bytes:
    found = bytearray(len(_MAGIC) + _HASH_BYTES)
    for section in sections:
        found += bytes(_after(len(found)) - len(found))
        found += section
    return bytes(found[len(_MAGIC) + _HASH_BYTES :])


def _to_json(value: object) -> object:
    match value:
        case IPv4Address() | IPv6Address():
            return str(value)
        case re.Pattern(pattern=pattern, flags=flags):
            return [pattern, flags]
    raise NotImplementedError(f"a snapshot has no {type(value).__name__}")


def _from_json(kind: type, value: Any) -> object:
    if kind in {IPv4Address, IPv6Address}:
        return kind(value)
    pattern, flags = value
    return re.compile(pattern, flags)


_head_decoder = msgspec.json.Decoder(_Head, dec_hook=_from_json)
