"""Compare the edge with other caches on this machine: `python -m bench.speed [--quick]`.

Every peer runs alone, one worker on one core; the origin and the load generator have the other.
Rounds are interleaved: each peer does each work once, then the next round begins with another.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bench.speed import load, mixed, report, switching
from bench.speed.cold import hits_p99_ratio
from bench.speed.figures import Line, median
from bench.speed.growth import Growth, measure
from bench.speed.peers import PEERS, Peer
from bench.speed.pools import cost_ratio
from bench.speed.processes import NotStarted
from bench.speed.stand import Stand
from bench.speed.targets import OWN
from bench.speed.works import MANIFEST_BYTES, SEGMENT_BYTES, WORKS, Running, Work

ALL = sorted((*WORKS, *mixed.WORKS), key=lambda work: work.letter)
LETTERS = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured. A fill for growth takes `fill_s` at most and stops at `objects`;
    `aside` are the peers whose growth is measured, and what cold objects do to them.
    """

    rounds: int
    seconds: float
    fill_s: float
    objects: int
    aside: tuple[str, ...]


QUICK = Extent(1, 1.0, 3.0, 10_000, (OWN,))
ASIDE = (OWN, "nginx")  # both keep objects in files


class Bench:
    """One comparison: figures by work and peer."""

    def __init__(
        self, stand: Stand, peers: list[Peer], letters: Sequence[str], extent: Extent
    ) -> None:
        self.stand = stand
        self.peers = peers
        self.letters = letters
        self.extent = extent
        self.works = [work for work in ALL if chosen(work.letter, letters)]
        self.figures: dict[str, dict[str, list[float]]] = {work.letter: {} for work in self.works}
        self.failures: dict[str, dict[str, str]] = {work.letter: {} for work in self.works}
        self.ceilings: dict[str, list[float]] = {}
        self.busy: dict[str, dict[str, list[float]]] = {}
        self.growth = Growth()
        self.cold_ms: dict[str, list[tuple[float, float, float]]] = {}
        self.pools: list[float] = []
        self.switching: list[switching.Switching] = []
        self.notes: list[str] = []

    def round(self, number: int) -> None:
        """Every peer in turn, beginning with another in each round."""
        turn = number % len(self.peers)
        for peer in self.peers[turn:] + self.peers[:turn]:
            if self.works:
                self._one(peer, number)
            if chosen("l", self.letters) and peer.name in self.extent.aside:
                self._cold(peer, number)
            if chosen("m", self.letters) and peer.name == OWN and self.extent is not QUICK:
                self._pools(peer, number)
            if chosen("n", self.letters) and peer.name == OWN and self.extent is not QUICK:
                self._switching(number)
        for name in sorted({work.ceiling for work in self.works if work.ceiling is not None}):
            per_s = self.stand.ceiling(name, self.extent.seconds)
            self.ceilings.setdefault(name, []).append(per_s)
            say(f"      ceiling: {report.number(per_s)} times the {name} in a second")

    def _one(self, peer: Peer, number: int) -> None:
        try:
            with (
                self.stand.place(f"{peer.name}-{number}") as place,
                self.stand.running(peer, place) as running,
            ):
                for work in self.works:
                    self._measure(peer, work, running)
        except NotStarted as error:
            say(f"{peer.name} did not start: {error}")
            for work in self.works:
                self.failures[work.letter][peer.name] = "did not start"

    def _measure(self, peer: Peer, work: Work, running: Running) -> None:
        if work.tls and not peer.tls:
            self.failures[work.letter][peer.name] = "has no TLS of its own"
            return
        if work.peers is not None and peer.name not in work.peers:
            return
        running.load_busy = None
        try:
            figure = work.run(running, self.extent.seconds)
        except (load.WrongAnswer, OSError, subprocess.TimeoutExpired) as error:
            self.failures[work.letter][peer.name] = str(error)
            say(f"  {work.letter:3} {peer.name:14} {error}")
            return
        self.figures[work.letter].setdefault(peer.name, []).append(figure)
        if running.load_busy is not None:
            by_peer = self.busy.setdefault(work.letter, {})
            by_peer.setdefault(peer.name, []).append(running.load_busy)
        say(f"  {work.letter:3} {peer.name:14} {report.number(figure)} {work.unit}")

    def _cold(self, peer: Peer, number: int) -> None:
        try:
            found = hits_p99_ratio(self.stand, peer, number, self.extent.seconds)
        except (load.WrongAnswer, NotStarted, OSError) as error:
            self.notes.append(f"l cold page cache, {peer.name}: {error}")
            say(f"  l   {peer.name:14} {error}")
            return
        self.cold_ms.setdefault(peer.name, []).append(found)
        cold_ms, warm_ms, times = found
        say(f"  l   {peer.name:14} p99 {cold_ms:.2f} ms beside cold, {warm_ms:.2f} ms: {times:.2f}")

    def _pools(self, peer: Peer, number: int) -> None:
        try:
            times = cost_ratio(self.stand, number, self.extent.seconds)
        except (load.WrongAnswer, NotStarted, OSError) as error:
            self.notes.append(f"m three origins: {error}")
            say(f"  m   {peer.name:14} {error}")
            return
        self.pools.append(times)
        say(f"  m   {peer.name:14} a miss with three origins : with one: {times:.3f}")

    def _switching(self, number: int) -> None:
        try:
            found = switching.measure(self.stand, number)
        except (load.WrongAnswer, NotStarted, OSError) as error:
            self.notes.append(f"n a switch: {error}")
            say(f"  n   {OWN:14} {error}")
            return
        self.switching.append(found)
        say(
            f"  n   {OWN:14} a switch takes {found.requests:g} requests, {found.connects:g} "
            f"connects and {found.longer_ms:.2f} ms; "
            f"a stalled origin is left after {found.left_after:.3f}"
        )

    def grow(self) -> None:
        if not chosen("k", self.letters):
            return
        extent = self.extent
        peers = [peer for peer in self.peers if peer.name in extent.aside]
        self.growth = measure(
            self.stand,
            peers,
            extent.seconds,
            extent.fill_s,
            extent.objects,
            say,
            quick=extent is QUICK,
        )

    def lines(self) -> list[Line]:
        """The works' lines, and those that only have a target."""
        found = [
            Line(
                work.letter, work.title, work.unit, work.more_is_better,
                self.figures[work.letter], self.failures[work.letter], self._ceiling(work),
            )
            for work in self.works
        ]  # fmt: skip
        for letter, value in (
            ("k1", self.growth.of_objects(OWN)),
            ("k4", self.growth.of_workers()),
        ):
            if value is not None:
                found.append(Line(letter, "", "", False, {OWN: [value]}))
        if OWN in self.cold_ms:
            quotients = [each[2] for each in self.cold_ms[OWN]]
            found.append(Line("l", "", "", False, {OWN: quotients}))
        if self.pools:
            found.append(Line("m", "", "", False, {OWN: self.pools}))
        if self.switching:
            taken = [each.requests + each.connects_unkept for each in self.switching]
            found.append(Line("n1", "", "", False, {OWN: taken}))
            found.append(Line("n2", "", "", False, {OWN: [s.connects for s in self.switching]}))
            found.append(Line("n3", "", "", False, {OWN: [s.left_after for s in self.switching]}))
        return found

    def _ceiling(self, work: Work) -> float | None:
        if work.ceiling is None or work.ceiling not in self.ceilings:
            return None
        per_s = median(self.ceilings[work.ceiling])
        size = SEGMENT_BYTES if work.ceiling == "segment" else MANIFEST_BYTES
        return per_s * size / 1e9 if work.unit == "GB/s" else per_s

    def aside(self) -> report.Aside:
        growth = self.growth
        return report.Aside(
            growth.same_us, growth.uniform_us, growth.connections_us, growth.workers_us,
            growth.workers_per_s, self.cold_ms, self.busy, [*growth.notes, *self.notes],
            self.switching,
        )  # fmt: skip


def chosen(letter: str, wanted: Sequence[str]) -> bool:
    """Whether this work was asked for: by its name, its letter, or by naming none."""
    return not wanted or letter in wanted or letter[0] in wanted


def say(text: str) -> None:
    print(text, flush=True)


def versions(peers: list[Peer]) -> str:
    """What was compared, as the programs call themselves."""
    flags = {"nginx": "-v", "varnishd": "-V", "haproxy": "-v", "traffic_server": "-V"}
    found = []
    for peer in peers:
        flag = flags.get(peer.program)
        if flag is None:
            continue
        done = subprocess.run([peer.program, flag], capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).strip().splitlines()
        found.append(lines[0] if lines else peer.name)
    return "; ".join(found)


def machine(peers: list[Peer]) -> report.Machine:
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return report.Machine(
        processor, os.cpu_count() or 1, platform.release(), platform.python_version(), today,
        versions(peers),
    )  # fmt: skip


def write(bench: Bench, output: Path | None) -> str:
    """Write report, raw figures and pictures into `output`; the report's text."""
    names = [peer.name for peer in bench.peers]
    lines, aside = bench.lines(), bench.aside()
    images: list[str] = []
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        if importlib.util.find_spec("matplotlib") is None:
            say("no pictures: matplotlib is missing (requirements/bench.txt)")
        else:
            from bench.speed.plots import draw

            images = draw(lines, aside, names, output)
    text = report.document(
        machine(bench.peers), lines, aside, names,
        rounds=bench.extent.rounds, seconds=bench.extent.seconds, images=images,
    )  # fmt: skip
    if output is not None:
        (output / "speed.md").write_text(text, encoding="utf-8")
        raw = {
            "figures": bench.figures,
            "failures": bench.failures,
            "ceilings": bench.ceilings,
            "aside": dataclasses.asdict(aside),
        }
        (output / "speed.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    return text


def end(_number: int, _frame: FrameType | None) -> None:
    """End by unwinding, so that nothing that was started stays behind."""
    sys.exit(143)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each work takes")
    parser.add_argument("--fill-seconds", type=float, default=720.0, help="to store objects for k")
    parser.add_argument("--objects", type=int, default=1_000_000, help="to be stored for k at most")
    parser.add_argument("--only", default="", help="works: a,c,h1 (a to n)")
    parser.add_argument("--peers", default="", help="names of peers: headrace,nginx")
    parser.add_argument("--output", type=Path, help="directory of the report")
    found = parser.parse_args()
    for letter in words(found.only):
        if letter[0] not in LETTERS:
            parser.error(f"there is no work {letter}")
    for name in words(found.peers):
        if name not in {peer.name for peer in PEERS}:
            parser.error(f"there is no peer {name}")
    return found


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def main() -> None:
    """Parse the command line, measure, write the report."""
    given = options()
    extent = QUICK
    if not given.quick:
        extent = Extent(given.rounds, given.seconds, given.fill_seconds, given.objects, ASIDE)
    letters, wanted = words(given.only), words(given.peers)
    peers = [peer for peer in PEERS if not wanted or peer.name in wanted]
    for missing in [peer for peer in peers if not peer.installed]:
        say(f"{missing.name} is not installed and is left out: see scripts/install-bench-peers")
    peers = [peer for peer in peers if peer.installed]
    signal.signal(signal.SIGTERM, end)
    os.sched_setaffinity(0, {load.LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as root:
        stand = Stand(Path(root), large=chosen("g", letters))
        bench = Bench(stand, peers, letters, extent)
        for number in range(extent.rounds):
            say(f"round {number + 1} of {extent.rounds}")
            bench.round(number)
        bench.grow()
    say(write(bench, given.output))


if __name__ == "__main__":
    main()
