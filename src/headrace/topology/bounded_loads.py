"""Consistent hashing with bounded loads: what is too much for a server goes to the next with room.

After Mirrokni, Thorup and Zadimoghaddam (2018), for pieces of known size: arcs of a ring, or the
parts of a heavy shard. Each server keeps of its own what it has room for, by rank; only what is
left over moves. Pure, and in an order that depends on ranks and numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableSequence, Sequence
from itertools import islice

MOST_TRIED = 128
"""How many servers are tried for a piece before the least loaded of them takes it."""


def settle(
    at: MutableSequence[int],
    sizes: Sequence[float],
    ranks: Sequence[int],
    loads: list[float],
    keep: Sequence[float],
    room: Sequence[float],
    candidates: Callable[[int], Iterable[int]],
) -> list[int]:
    """Move pieces from servers that have more than they may keep; return the numbers of those.

    By piece: `at` is where it is, `sizes` what it weighs; the lowest of `ranks` is kept first. By
    server: `loads` is what it has, `keep` how much of it stays, `room` how much may come to be
    there. `at` and `loads` are changed. `candidates` are the servers to try for a piece.
    """
    shed = _shed(at, sizes, ranks, loads, keep)
    shed.sort(key=ranks.__getitem__)
    for piece in shed:
        server = _find(sizes[piece], loads, room, candidates(piece))
        if server is not None:
            at[piece] = server
        loads[at[piece]] += sizes[piece]
    return shed


def _shed(
    at: Sequence[int],
    sizes: Sequence[float],
    ranks: Sequence[int],
    loads: list[float],
    keep: Sequence[float],
) -> list[int]:
    """Take from each server what it may not keep."""
    over: dict[int, list[int]] = {
        server: [] for server, load in enumerate(loads) if load > keep[server]
    }
    if not over:
        return []
    for piece, server in enumerate(at):
        if server in over:
            over[server].append(piece)
    shed = []
    for server, pieces in over.items():
        pieces.sort(key=ranks.__getitem__)
        load = loads[server] - sum(sizes[piece] for piece in pieces)
        for piece in pieces:
            if load + sizes[piece] <= keep[server]:
                load += sizes[piece]
            else:
                shed.append(piece)
        loads[server] = load
    return shed


def _find(
    size: float, loads: Sequence[float], room: Sequence[float], candidates: Iterable[int]
) -> int | None:
    """Return the first candidate that has room, else the one that would be filled least."""
    best: int | None = None
    least = 0.0
    for server in islice(candidates, MOST_TRIED):
        if loads[server] + size <= room[server]:
            return server
        if room[server] > 0:
            filled = (loads[server] + size) / room[server]
            if best is None or filled < least:
                best, least = server, filled
    return best
