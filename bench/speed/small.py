"""Small objects that come from the store and not from memory, the more of them the longer.

The servers that keep objects in files are filled through HTTP to each power of ten, and at each
the rounds are measured, every object asked for alike. What filling costs is noted: these are misses
of small objects with all that is stored before. Where only the hits are wanted, our own store is
written to directly (`seeding`), which is noted, too.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from bench.speed import load
from bench.speed.compared import OWN
from bench.speed.counters import Counter
from bench.speed.peers import CONFIG, HEADRACE_WITHOUT_MEMORY, Peer
from bench.speed.result import Aside, Measured, plain, rounded
from bench.speed.seeding import NotSeeded, seed
from bench.speed.slices import Extent, Failed, Rounds
from bench.speed.stand import Stand
from bench.speed.steady import Ask, Load
from bench.speed.work import MANIFEST_BYTES, Running, Slice, Taken, Work
from bench.speed.works import CONNECTIONS, taken_by_wrk

SIZES = (1_000, 10_000, 100_000, 1_000_000)
FILL_CONNECTIONS = 32
FILL_PIECE = 1_000
STORE_GIB = 20  # nobody evicts
Say = Callable[[str], None]

_AMONG = """
math.randomseed({seed})
request = function()
  return wrk.format("GET", "/small/grow-" .. math.random(0, {last}))
end
"""


def letter(size: int) -> str:
    """The work's letter and the power of ten: s3 to s6."""
    return f"s{len(str(size)) - 1}"


def measure(
    stand: Stand, peers: Sequence[Peer], extent: Extent, most: int, fill_s: float,
    counter: Counter, aside: Aside, say: Say, *, seeded: bool = False,
) -> list[Measured]:  # fmt: skip
    """All sizes up to `most`, each peer filled for `fill_s` at most.

    `seeded`: what our own is to store beyond the first size is written into its store.
    """
    chosen = [HEADRACE_WITHOUT_MEMORY if peer.name == OWN else peer for peer in peers]
    found: list[Measured] = []

    def failed(name: str, error: Exception) -> None:
        aside.notes.append(plain(f"s, {name}: {error}"))
        say(f"  s   {name:14} {error}")

    with stand.together(chosen, failed, gib=STORE_GIB) as running:
        fills = {
            name: _Fill(peer, fill_s, seeded=seeded and name == OWN)
            for name, peer in running.items()
        }
        for size in [size for size in SIZES if size <= most]:
            for name, fill in list(fills.items()):
                if not _filled(fill, size, aside, failed, say):
                    del fills[name]
            full = {name: running[name] for name in fills}
            if full:
                found += _rounds(full, size, extent, counter, say)
    return found


def _filled(
    fill: _Fill, size: int, aside: Aside, failed: Callable[[str, Exception], None], say: Say
) -> bool:
    """Whether the peer has so many objects now; what it took is noted."""
    name = fill.peer.name
    try:
        fill.to(size)
    except (*Failed, NotSeeded) as error:
        failed(name, error)
        return False
    if fill.seeded_s:
        note = f"{size:,} objects were written into its store in {fill.seeded_s:.0f} s"
        aside.notes.append(f"s, {name}: {note}")
        say(f"  s   {name:14} {note}")
        return True
    say(f"  s   {name:14} {size:>9,} stored after {fill.took_s:.1f} s, {fill.each_us:.0f} us each")
    aside.fill_us.setdefault(name, {})[size] = rounded(fill.each_us)
    aside.fill_s.setdefault(name, {})[size] = rounded(fill.took_s)
    return True


def _rounds(
    running: Mapping[str, Running], size: int, extent: Extent, counter: Counter, say: Say
) -> list[Measured]:
    title = f"1 KB objects not in memory, {size:,} stored, all asked for alike"
    work = Work(letter(size), title, "requests/s", partial(_among, last=size - 1))
    rounds = Rounds(running, [work], counter, say)
    rounds.measure(extent)
    return rounds.measured()


class _Fill:
    """One peer as it fills. `each_us` is processor time for each object of the last step."""

    def __init__(self, peer: Running, most_s: float, *, seeded: bool) -> None:
        self.peer = peer
        self.seeded_s = 0.0
        self._seeded = seeded
        self.stored = 0
        self.took_s = 0.0
        self.each_us = 0.0
        self._most_s = most_s

    def to(self, target: int) -> None:
        """Store objects until there are so many. Raises NotSeeded, and WrongAnswer when that takes
        too long.
        """
        if self._seeded and self.stored:
            config = self.peer.scratch / CONFIG
            self.seeded_s = seed(config, b"/small/grow-", self.stored, target - 1)
            self.stored = target
            return
        digest = self.peer.quick_digests["manifest"]
        cpu_s, first = self.peer.program.cpu_s(), self.stored
        with Load(self.peer.plain, FILL_CONNECTIONS) as client:
            while self.stored < target:
                base, piece = self.stored, min(FILL_PIECE, target - self.stored)

                def ask(number: int, base: int = base) -> Ask:
                    return Ask("fill", f"/small/grow-{base + number}", MANIFEST_BYTES, digest)

                began = time.monotonic()
                client.flat_out(ask, 120.0, piece)
                self.took_s += time.monotonic() - began
                self.stored += piece
                if self.took_s > self._most_s and self.stored < target:
                    raise load.WrongAnswer(
                        f"{self._most_s:g} s sufficed to store {self.stored:,} of {target:,}"
                    )
        self.each_us = 1e6 * (self.peer.program.cpu_s() - cpu_s) / (target - first)


@contextlib.contextmanager
def _among(peer: Running, last: int) -> Iterator[Slice]:
    chance = random.Random(last)

    def run(seconds: float) -> Taken:
        url = f"http://127.0.0.1:{peer.plain}/manifest"
        script = _AMONG.format(seed=chance.randrange(1 << 30), last=last)
        figure = load.wrk_slice(url, seconds, CONNECTIONS, script)
        load.check_lengths(figure, MANIFEST_BYTES, CONNECTIONS)
        return taken_by_wrk(figure)

    yield run
