"""Compare the edge with other caches on this machine: `python -m bench.speed [--quick]`.

Every peer runs alone, one worker on one core; the origin and the load generator have the other.
Rounds are interleaved: each peer does each work once, then the next round begins with another.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness.certificates import Authority

from bench.speed import load, report
from bench.speed.peers import PEERS, Peer, Place
from bench.speed.processes import NotStarted, Program, free_port
from bench.speed.works import LARGE_BYTES, MANIFEST_BYTES, SEGMENT_BYTES, WORKS, Running, Work

LARGE_STARTS = (0, 123_456_789, 999_000_000)
CEILINGS = {"a": "segment", "c": "manifest"}


class Bench:
    """One comparison: the content, the origin, and figures by work and peer."""

    def __init__(self, root: Path, peers: list[Peer], works: list[Work], seconds: float) -> None:
        self.root = root
        self.peers = peers
        self.works = works
        self.seconds = seconds
        self.figures: dict[str, dict[str, list[float]]] = {work.letter: {} for work in works}
        self.failures: dict[str, dict[str, str]] = {work.letter: {} for work in works}
        self.digests: dict[str, str] = {}
        self._make_content()
        self.cert, self.key = self._certificate()

    def _make_content(self) -> None:
        www = self.root / "www"
        www.mkdir()
        for name, size in (("segment", SEGMENT_BYTES), ("manifest", MANIFEST_BYTES)):
            body = os.urandom(size)
            (www / name).write_bytes(body)
            self.digests[f"/{name}"] = hashlib.sha256(body).hexdigest()
        if any(work.letter == "g" for work in self.works):
            with (www / "large").open("wb") as file:
                for _ in range(100):
                    file.write(os.urandom(LARGE_BYTES // 100))
            with (www / "large").open("rb") as file:
                for start in LARGE_STARTS:
                    file.seek(start)
                    digest = hashlib.sha256(file.read(524_288)).hexdigest()
                    self.digests[f"/large {start}"] = digest
        for path in (self.root, www):
            path.chmod(0o755)

    def _certificate(self) -> tuple[Path, Path]:
        directory = self.root / "tls"
        directory.mkdir()
        issued = Authority(directory).issue("127.0.0.1", "localhost")
        return issued.cert, issued.key

    def round(self, number: int) -> None:
        """Every peer in turn, beginning with another in each round."""
        turn = number % len(self.peers)
        for peer in self.peers[turn:] + self.peers[:turn]:
            self._one(peer, number)
        self._ceiling()

    def _one(self, peer: Peer, number: int) -> None:
        directory = self.root / f"{peer.name}-{number}"
        directory.mkdir(mode=0o777)
        directory.chmod(0o777)
        place = Place(directory, free_port(), free_port(), free_port(), self.cert, self.key)
        origin = self._origin(place)
        program: Program | None = None
        try:
            program = peer.start(place)
            program.wait_for(place.plain)
            running = Running(
                peer.name, program, place.plain, place.tls,
                directory / "origin-access.log", self.digests,
            )  # fmt: skip
            for work in self.works:
                self._measure(peer, work, running)
        except NotStarted as error:
            say(f"{peer.name} did not start: {error}")
            for work in self.works:
                self.failures[work.letter][peer.name] = "did not start"
        finally:
            if program is not None:
                program.stop()
            origin.stop()
            shutil.rmtree(directory, ignore_errors=True)

    def _origin(self, place: Place) -> Program:
        config = place.filled("origin.conf", "origin.conf")
        (place.directory / "www").symlink_to(self.root / "www")
        origin = Program(
            ["nginx", "-c", str(config)], load.LOAD_CORE, place.directory / "origin.out"
        )
        origin.wait_for(place.origin)
        return origin

    def _measure(self, peer: Peer, work: Work, running: Running) -> None:
        if work.tls and not peer.tls:
            self.failures[work.letter][peer.name] = "has no TLS of its own"
            return
        if work.peers is not None and peer.name not in work.peers:
            return
        try:
            figure = work.run(running, self.seconds)
        except (load.WrongAnswer, OSError) as error:
            self.failures[work.letter][peer.name] = str(error)
            say(f"  {work.letter} {peer.name}: {error}")
            return
        self.figures[work.letter].setdefault(peer.name, []).append(figure)
        say(f"  {work.letter:3} {peer.name:14} {report.number(figure)} {work.unit}")

    def _ceiling(self) -> None:
        for work in self.works:
            name = CEILINGS.get(work.letter)
            if name is None:
                continue
            port = free_port()
            command = [sys.executable, "-m", "bench.speed.ceiling", str(port)]
            program = Program(
                [*command, str(self.root / "www" / name)], 0, self.root / "ceiling.log"
            )
            try:
                program.wait_for(port)
                figure = load.wrk(f"http://127.0.0.1:{port}/", self.seconds)
            finally:
                program.stop()
            size = SEGMENT_BYTES / 1e9 if name == "segment" else 1
            self.figures[work.letter].setdefault("ceiling", []).append(figure.per_s * size)
            say(f"  {work.letter:3} {'ceiling':14} {report.number(figure.per_s * size)}")

    def lines(self) -> list[report.Line]:
        return [
            report.Line(
                work.title, work.unit, work.more_is_better,
                self.figures[work.letter], self.failures[work.letter],
            )
            for work in self.works
        ]  # fmt: skip


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


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def written(bench: Bench, rounds: int) -> str:
    """The report's text."""
    names = [peer.name for peer in bench.peers] + ["ceiling"]
    return f"""# Speed, side by side

Written by `make bench`. Medians of {rounds} rounds of {bench.seconds:g} s, lowest and highest in
brackets. Ratios above 1 are in Headrace's favour. Each server has one worker on one core; the
origin (nginx) and the load (wrk, 32 connections; 8 for misses) share the other. Everything is on
loopback and in the page cache. The *ceiling* is a bare loop that only sends the same bytes.

Machine: {processor()}, Linux {platform.release()}, Python {platform.python_version()},
{datetime.datetime.now(datetime.UTC):%Y-%m-%d}. {versions(bench.peers)}.

{report.table(bench.lines(), names, "headrace")}

## Not measured

{report.failures(bench.lines())}

The peers' configurations are in `bench/speed/configs`; improve them.
"""


def main() -> None:
    """Parse the command line, measure, write the report."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--only", default="", help="letters of works: a,c,h1")
    parser.add_argument("--peers", default="", help="names of peers: headrace,nginx")
    parser.add_argument("--output", type=Path, help="directory of the report")
    options = parser.parse_args()
    rounds, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
    letters = [letter for letter in options.only.split(",") if letter]
    wanted = [name for name in options.peers.split(",") if name]
    works = [work for work in WORKS if not letters or work.letter.startswith(tuple(letters))]
    peers = [peer for peer in PEERS if not wanted or peer.name in wanted]
    for missing in [peer for peer in peers if not peer.installed]:
        say(f"{missing.name} is not installed and is left out")
    peers = [peer for peer in peers if peer.installed]
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as root:
        bench = Bench(Path(root), peers, works, seconds)
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            bench.round(number)
    text = written(bench, rounds)
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "speed.md").write_text(text, encoding="utf-8")
        raw = json.dumps(bench.figures, indent=1) + "\n"
        (options.output / "speed.json").write_text(raw, encoding="utf-8")
    say(text)


if __name__ == "__main__":
    main()
