"""Synthetic request traces, each a function of a seed: what is asked for, in which order, and how
large it is. Nothing here knows a policy.
"""

from __future__ import annotations

import itertools
import random
import zlib
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SEGMENT_BYTES = 2_000_000
MANIFEST_BYTES = 1_000
MANIFEST_SHARE = 0.1

SCAN_RUN = 300
SCAN_EVERY = 1_500

CHANNELS = 20
LIVE_SHARE = 0.6
SEGMENT_DURATION_S = 4.0
HOT_FOR_S = 30.0
REQUESTS_PER_SECOND = 100.0

PHASES = 5
RENEWED_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in order. `sizes[entry]` is each entry's size in bytes."""

    name: str
    requests: list[bytes]
    sizes: dict[bytes, int]

    @property
    def footprint_bytes(self) -> int:
        """What a cache that never evicts would hold in the end."""
        return sum(self.sizes.values())


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a trace is and how many titles it draws from."""

    requests: int
    titles: int


Maker = Callable[[random.Random, Scale], Iterator[str]]


def zipf(alpha: float) -> Maker:
    """Independent draws; the title of rank r has weight r^-alpha."""

    def make(rng: random.Random, scale: Scale) -> Iterator[str]:
        rank = _ranks(rng, scale.titles, alpha)
        for _ in range(scale.requests):
            yield f"title-{rank()}"

    return make


def scans(rng: random.Random, scale: Scale) -> Iterator[str]:
    """Zipf 0.9, broken now and then by a run of titles that nobody asks for again."""
    rank = _ranks(rng, scale.titles, 0.9)
    scanned = 0
    for position in range(scale.requests):
        if position % SCAN_EVERY < SCAN_RUN:
            yield f"scan-{scanned}"
            scanned += 1
        else:
            yield f"title-{rank()}"


def live_and_vod(rng: random.Random, scale: Scale) -> Iterator[str]:
    """Live channels, whose new segments are hot for 30 s and then dead, over a Zipf 0.9 library.

    A live viewer asks for the channel's manifest and then for a segment, mostly the newest.
    """
    channel = _ranks(rng, CHANNELS, 0.9)
    title = _ranks(rng, scale.titles, 0.9)
    made = 0
    while made < scale.requests:
        now_s = made / REQUESTS_PER_SECOND
        if rng.random() >= LIVE_SHARE:
            yield f"title-{title()}"
            made += 1
            continue
        tuned = channel()
        age_s = min(rng.expovariate(1 / 6.0), HOT_FOR_S)
        yield f"manifest-{tuned}"
        yield f"live-{tuned}-{int((now_s + HOT_FOR_S - age_s) / SEGMENT_DURATION_S)}"
        made += 2


def shifting(rng: random.Random, scale: Scale) -> Iterator[str]:
    """Zipf 0.9 in phases: at each phase's start 30 % of the ranks get a title unknown so far."""
    rank = _ranks(rng, scale.titles, 0.9)
    title_at = [f"title-0-{position}" for position in range(scale.titles)]
    phase_requests = max(1, scale.requests // PHASES)
    for made in range(scale.requests):
        if made and made % phase_requests == 0:
            phase = made // phase_requests
            for position in rng.sample(range(scale.titles), int(scale.titles * RENEWED_SHARE)):
                title_at[position] = f"title-{phase}-{position}"
        yield title_at[rank()]


MAKERS: dict[str, Maker] = {
    "Zipf 0.7": zipf(0.7),
    "Zipf 0.9": zipf(0.9),
    "Zipf 1.1": zipf(1.1),
    "Zipf 0.9 with scans": scans,
    "live and VOD": live_and_vod,
    "popularity shift": shifting,
}


def make_trace(name: str, *, seed: int, scale: Scale, mixed_sizes: bool) -> Trace:
    """The trace of this name. The same arguments give the same trace on every machine.

    With `mixed_sizes`, channel manifests and a tenth of all other entries have 1 KB; else every
    entry has the size of a segment. The requests are the same either way.
    """
    rng = random.Random(f"{seed} {name}")
    names: dict[str, bytes] = {}
    requests = [
        names.setdefault(text, text.encode())
        for text in itertools.islice(MAKERS[name](rng, scale), scale.requests)
    ]
    size = _mixed_size if mixed_sizes else _equal_size
    return Trace(name, requests, {entry: size(entry) for entry in names.values()})


def _ranks(rng: random.Random, count: int, alpha: float) -> Callable[[], int]:
    cumulative = list(itertools.accumulate((rank + 1) ** -alpha for rank in range(count)))
    total = cumulative[-1]
    return lambda: min(bisect(cumulative, rng.random() * total), count - 1)


def _equal_size(_entry: bytes) -> int:
    return SEGMENT_BYTES


def _mixed_size(entry: bytes) -> int:
    # By the name, so that size and popularity have nothing to do with each other.
    manifest = entry.startswith(b"manifest-") or (
        not entry.startswith(b"live-") and zlib.crc32(entry) % 1000 < MANIFEST_SHARE * 1000
    )
    return MANIFEST_BYTES if manifest else SEGMENT_BYTES
