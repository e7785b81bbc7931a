"""What objects that are on disk but not in memory do to the hits beside them.

Objects are stored, the server is restarted so that it holds none of them open, and their pages are
dropped from the page cache. Then hits are asked for at a fixed rate with the cold objects between
them, and once more, when those have become warm.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from bench.speed.figures import percentile
from bench.speed.load import WrongAnswer
from bench.speed.peers import Peer
from bench.speed.stand import Stand
from bench.speed.steady import Ask, Load
from bench.speed.work import MANIFEST_BYTES, SEGMENT_BYTES, Running
from headrace.edge.body.mapped_file import MappedBody

OFFERED_PER_S = 200.0
COLD_EACH = 10
CONNECTIONS = 100
MOST_STILL_IN_MEMORY = 0.05
HEAD_BYTES = 65536


def hits_p99_ratio(
    stand: Stand, peer: Peer, number: int, seconds: float
) -> tuple[float, float, float]:
    """The hits' p99 of the first byte beside cold objects and beside warm ones in ms, and the
    quotient. Raises WrongAnswer when the pages would not leave memory, NotStarted.
    """
    count = int(OFFERED_PER_S * seconds / COLD_EACH)
    with stand.place(f"cold-{peer.name}-{number}") as place:
        with stand.running(peer, place) as running:
            colds = [_cold(running, n) for n in range(count)]
            with Load(running.plain, 4) as client:
                client.flat_out(lambda n: colds[n], 60.0, count)
        evict(place.directory)
        with stand.running(peer, place) as running:
            asks = plan(running, colds)
            beside_cold, beside_warm = (_hits_p99_ms(running, asks, seconds) for _ in range(2))
    return beside_cold, beside_warm, beside_cold / beside_warm


def _cold(running: Running, number: int) -> Ask:
    digest = running.quick_digests["segment"]
    return Ask("cold", f"/miss/cold-{number}", SEGMENT_BYTES, digest)


def plan(running: Running, colds: list[Ask]) -> Callable[[int], Ask]:
    """Each tenth request is for an object that nobody has asked for since the restart."""
    hot = [
        Ask("hit", "/segment", SEGMENT_BYTES, running.quick_digests["segment"]),
        Ask("hit", "/manifest", MANIFEST_BYTES, running.quick_digests["manifest"]),
    ]

    def ask(number: int) -> Ask:
        tens, place = divmod(number, COLD_EACH)
        return colds[tens % len(colds)] if place == COLD_EACH - 1 else hot[number % 2]

    return ask


def _hits_p99_ms(running: Running, asks: Callable[[int], Ask], seconds: float) -> float:
    with Load(running.plain, CONNECTIONS) as client:
        client.flat_out(lambda n: asks(n % 2), 0.5)  # the hot ones only
        outcome = client.at_rate(asks, OFFERED_PER_S, seconds)
    return 1000 * percentile(outcome.first_s["hit"], 99)


def evict(directory: Path) -> None:
    """Drop the pages of all stored segments below here from the page cache.

    Raises WrongAnswer when more than a few stay, as they do on tmpfs.
    """
    there = stayed = 0
    for root, _names, files in os.walk(directory):
        for name in files:
            path = Path(root, name)
            size = path.lstat().st_size
            if not SEGMENT_BYTES <= size <= SEGMENT_BYTES + HEAD_BYTES:
                continue
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                there += 1
                stayed += in_memory(descriptor, SEGMENT_BYTES // 2)
            finally:
                os.close(descriptor)
    if not there or stayed > there * MOST_STILL_IN_MEMORY:
        raise WrongAnswer(
            f"the page cache kept {stayed} of {there} stored bodies that it was told to drop: "
            "measure again, or name a directory on another disk in TMPDIR"
        )


def in_memory(descriptor: int, at: int) -> bool:
    """Whether the page of this byte is in the page cache. A read that does not wait (RWF_NOWAIT)
    cannot tell: it starts to fetch the page, and on a quick disk finds it.
    """
    body = MappedBody(os.dup(descriptor), at, 1)
    try:
        return body.resident(0, 1)
    finally:
        body.view.release()
