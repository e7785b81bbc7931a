"""Measures, each in a process of its own: loading, memory, look-ups."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.prefixes.tables import Prefix, clients
from headrace.topology.build import load_topology
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import Topology

ROUNDS = 5
Find = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Result:
    """What a way of looking up takes: seconds, bytes, microseconds of processor time."""

    way: str
    read_s: float
    build_s: float
    memory_bytes: int
    v4_us: float
    v6_us: float


def ours(description: Path, table: Sequence[Prefix], count: int, seed: int) -> Result:
    """Measure the table of coverage, from its description on disk."""
    before = _memory_now()
    began = time.process_time()
    topology = load_topology(description)
    read = time.process_time()
    found = CoverageTable(topology)
    built = time.process_time()
    memory = _peak_bytes() - before
    return _result(
        "ranges, built", (read - began, built - read), memory, found.find_client, table, count, seed
    )


def mapped(description: Path, table: Sequence[Prefix], count: int, seed: int) -> Result:
    """Measure the same table when another process has compiled it into a file."""
    topology = load_topology(description)
    path = description.with_suffix(".table")
    path.write_bytes(CoverageTable(topology).to_bytes())
    bare = Topology(coverage=topology.coverage)
    with path.open("rb") as file:
        began = time.process_time()
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        found = CoverageTable.from_buffer(bare, memoryview(data))
        built = time.process_time()
    return _result(
        "ranges, mapped",
        (0.0, built - began),
        path.stat().st_size,
        found.find_client,
        table,
        count,
        seed,
    )


def by_length(description: Path, table: Sequence[Prefix], count: int, seed: int) -> Result:
    """Measure a dictionary for each length, from the longest to the shortest."""
    topology = load_topology(description)
    before = _memory_now()
    began = time.process_time()
    found = LengthTable(topology)
    built = time.process_time()
    memory = _peak_bytes() - before
    return _result(
        "a dictionary for each length", (0.0, built - began), memory, found.find, table, count, seed
    )


class LengthTable:
    """Dictionaries by length: what the table of coverage is compared with, and checked against."""

    def __init__(self, topology: Topology) -> None:
        self._networks: dict[int, dict[int, dict[int, str]]] = {32: {}, 128: {}}
        networks = {network.name: network.prefixes for network in topology.networks}
        for coverage in topology.coverage:
            for name in coverage.networks:
                for address, length in networks[name].pairs_v4():
                    shifted = address >> 32 - length
                    self._networks[32].setdefault(length, {})[shifted] = coverage.name
                for address, length in networks[name].pairs_v6():
                    shifted = address >> 128 - length
                    self._networks[128].setdefault(length, {})[shifted] = coverage.name
        self._steps = {
            bits // 8: [
                (bits - length, by_network) for length, by_network in sorted(lengths.items())[::-1]
            ]
            for bits, lengths in self._networks.items()
        }

    def find(self, client: bytes) -> str:
        """Return the name of the coverage of an address, "" for none."""
        address = int.from_bytes(client, "big")
        for shift, by_network in self._steps[len(client)]:
            name = by_network.get(address >> shift)
            if name is not None:
                return name
        return ""


def disagreements(description: Path, table: Sequence[Prefix], count: int, seed: int) -> list[bytes]:
    """Return the addresses for which the ways do not say the same."""
    topology = load_topology(description)
    ranges, lengths = CoverageTable(topology), LengthTable(topology)
    found = []
    for client in clients(table, 32, count, seed) + clients(table, 128, count, seed):
        coverage = ranges.find_client(client).coverage
        if (coverage.name if coverage else "") != lengths.find(client):
            found.append(client)
    return found


def _result(
    way: str,
    times: tuple[float, float],
    memory: int,
    find: Find,
    table: Sequence[Prefix],
    count: int,
    seed: int,
) -> Result:
    v4, v6 = (_look_up_us(find, clients(table, bits, count, seed)) for bits in (32, 128))
    return Result(way, *times, memory, v4, v6)


def _look_up_us(find: Find, asked: Sequence[bytes]) -> float:
    """Return the processor time of a look-up, the quickest of some rounds, the loop included."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for client in asked:
            find(client)
        best = min(best, time.process_time() - began)
    return best / len(asked) * 1e6


def _memory_now() -> int:
    """Return what the process takes, and begin to measure its peak again."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status_bytes("VmRSS")


def _peak_bytes() -> int:
    return _status_bytes("VmHWM")


def _status_bytes(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)
