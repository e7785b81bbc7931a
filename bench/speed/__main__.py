"""Compare the edge with other caches on this machine: `python -m bench.speed [--quick]`.

All servers are up at once, each with one worker, on one core; the origin and the load have the
other. They take turns at each work in slices of half a second, in rounds: what counts is the ratio
within a round.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import functools
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from bench.speed import machine, mixed, pages, quick, small
from bench.speed.aside import OF_FILES, AsideRun
from bench.speed.counters import Counter
from bench.speed.load import LOAD_CORE
from bench.speed.peers import PEERS, Peer, start_headrace
from bench.speed.result import FORMAT, Measured, Result, Tail, plain
from bench.speed.slices import Extent, Rounds
from bench.speed.stand import Stand
from bench.speed.work import Work
from bench.speed.works import WORKS

ALL = sorted((*WORKS, *mixed.WORKS), key=lambda work: work.letter)
LETTERS = "abcdefghiklmns"
QUICK = Extent(passes=1, rounds=6, slice_s=0.25)
QUICK_WORKS = ("a", "b1", "c", "d", "f1")
MILLION_FILL_S = 1200.0


def chosen(letter: str, wanted: Sequence[str]) -> bool:
    """Whether this work was asked for: by its name, its letter, or by naming none."""
    return not wanted or letter in wanted or letter[0] in wanted


def say(text: str) -> None:
    print(text, flush=True)


def in_slices(
    stand: Stand, peers: list[Peer], works: list[Work], extent: Extent, counter: Counter
) -> tuple[list[Measured], list[Tail]]:
    """The works that are done in turns, with the ceilings that some have."""
    failures: dict[str, str] = {}

    def failed(name: str, error: Exception) -> None:
        failures[name] = plain(error)
        say(f"{name} did not start: {error}")

    with stand.together(peers, failed) as running:
        plain_only = frozenset(name for name in running if not tls(peers, name))
        allowed = [without(work, running.keys() - plain_only) if work.tls else work
                   for work in works]  # fmt: skip
        rounds = Rounds(running, allowed, counter, say)
        rounds.measure(extent)
        found = rounds.measured()
    ceilings = {
        name: stand.ceiling(name, 1.0)
        for name in sorted({work.ceiling for work in works if work.ceiling is not None})
    }
    ended = []
    for work, measured in zip(works, found, strict=True):
        missing = dict.fromkeys(plain_only, "has no TLS of its own") if work.tls else {}
        ended.append(Measured(
            measured.letter, measured.title, measured.unit, measured.more_is_better,
            measured.samples, missing | failures | measured.failures,
            None if work.ceiling is None else stand.in_unit(work, ceilings[work.ceiling]),
        ))  # fmt: skip
    return ended, rounds.tails()


def tls(peers: list[Peer], name: str) -> bool:
    """Whether this peer speaks it."""
    return any(peer.tls for peer in peers if peer.name == name)


def without(work: Work, names: set[str]) -> Work:
    """The work for these peers only."""
    return dataclasses.replace(work, peers=frozenset(names & (work.peers or names)))


def run(given: argparse.Namespace, peers: list[Peer], root: Path) -> Result:
    """Measure all that was asked for."""
    began, ticks = time.monotonic(), machine.processor_ticks()
    wanted = words(given.only) or (list(QUICK_WORKS) if given.quick else [])
    extent = QUICK if given.quick else Extent(given.passes, given.rounds, given.slice)
    works = [work for work in ALL if chosen(work.letter, wanted)]
    stand = Stand(root, large=any(work.letter == "g" for work in works))
    counter = Counter()
    measured, tails = in_slices(stand, peers, works, extent, counter) if works else ([], [])
    aside = AsideRun(stand, peers, given.aside_rounds, given.aside_seconds, say)
    if works:
        say(f"a to h took {time.monotonic() - began:.0f} s")
    if not given.quick:
        measured += beside(given, wanted, stand, peers, counter, aside)
    return Result(
        FORMAT,
        machine.describe(
            given.name or machine.default_name(),
            datetime.datetime.now(datetime.UTC).date().isoformat(),
            machine.versions(peers),
            counted=counter.works,
            steal=machine.stolen(ticks, machine.processor_ticks()),
        ),
        extent.slice_s, round(time.monotonic() - began, 1), [peer.name for peer in peers],
        sorted(measured, key=lambda each: each.letter), tails, aside.found,
    )  # fmt: skip


def beside(
    given: argparse.Namespace, wanted: list[str], stand: Stand, peers: list[Peer],
    counter: Counter, aside: AsideRun,
) -> list[Measured]:  # fmt: skip
    """What is not one of the works from a to h. A part that breaks leaves the others theirs."""

    def stores() -> list[Measured]:
        files = [peer for peer in peers if peer.name in OF_FILES]
        extent = Extent(1, given.passes * given.rounds, given.slice)
        return small.measure(
            stand, files, extent, given.objects, given.fill_seconds, counter, aside.found, say,
            seeded=given.seeded,
        )  # fmt: skip

    parts = (
        ("i", aside.idle), ("s", stores), ("k", aside.growth), ("l", aside.cold),
        ("m", aside.pools), ("n", aside.switching),
    )  # fmt: skip
    found: list[Measured] = []
    for letter, part in parts:
        if not wanted or any(word[0] == letter for word in wanted):
            try:
                found += part() or []
            except Exception as error:  # noqa: BLE001 - half an hour's figures would be lost
                traceback.print_exc()
                aside.found.notes.append(plain(f"{letter} broke: {error!r}"))
    return found


def end(_number: int, _frame: FrameType | None) -> None:
    """End by unwinding, so that nothing that was started stays behind."""
    sys.exit(143)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="what one minute can tell")
    parser.add_argument(
        "--passes", type=int, default=3, help="times that all works are gone through"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each work in a pass")
    parser.add_argument("--slice", type=float, default=0.5, help="seconds that each turn takes")
    parser.add_argument("--aside-rounds", type=int, default=3, help="rounds of i, l, m and n")
    parser.add_argument("--aside-seconds", type=float, default=3.0, help="for each of k, l and m")
    parser.add_argument("--objects", type=int, default=100_000, help="to be stored for s at most")
    parser.add_argument("--million", action="store_true", help="store a million for s")
    parser.add_argument("--seeded", action="store_true",
                        help="write what s is to find into the edge's store")  # fmt: skip
    parser.add_argument("--fill-seconds", type=float, default=MILLION_FILL_S,
                        help="to store them, at most, for each server")  # fmt: skip
    parser.add_argument("--only", default="", help="works: a,c,h1 (a to n, and s)")
    parser.add_argument("--peers", default="", help="names of peers: headrace,nginx")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", type=other,
                        help="compare with Headrace on that Python: NAME=PATH")  # fmt: skip
    parser.add_argument("--name", default="", help="what to call this machine (letters, digits, -)")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--output", type=Path, help="directory of the pages: add this machine")
    found = parser.parse_args()
    if found.million:
        found.objects = small.SIZES[-1]
    for letter in words(found.only):
        if letter[0] not in LETTERS:
            parser.error(f"there is no work {letter}")
    for name in words(found.peers):
        if name not in {peer.name for peer in PEERS}:
            parser.error(f"there is no peer {name}")
    if found.name and not re.fullmatch("[a-z0-9][a-z0-9-]{0,39}", found.name):
        parser.error("a machine's name is of lower-case letters, digits and hyphens, 40 at most")
    if min(found.passes, found.rounds, found.aside_rounds) < 1 or found.slice < 0.1:
        parser.error("there is at least one round, and a slice takes 0.1 s or more")
    return found


def other(text: str) -> Peer:
    """What `--python` names: Headrace on another interpreter, in whose environment it can run."""
    name, _, path = text.partition("=")
    if not (name and path and shutil.which(path)):
        raise argparse.ArgumentTypeError("it is NAME=PATH, and a Python is at that path")
    start = functools.partial(start_headrace, python=path)
    return Peer(f"headrace-{name}", path, start)


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def main() -> None:
    """Parse the command line, measure, write what was found."""
    given = options()
    wanted = words(given.peers)
    peers = [peer for peer in PEERS if not wanted or peer.name in wanted] + given.python
    for missing in [peer for peer in peers if not peer.installed]:
        say(f"{missing.name} is not installed and is left out: see scripts/install-bench-peers")
    peers = [peer for peer in peers if peer.installed]
    signal.signal(signal.SIGTERM, end)
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as root:
        result = run(given, peers, Path(root))
    if given.json is not None:
        pages.write_result(result, given.json)
    if given.output is not None:
        pages.add(result, given.output, say)
    say(quick.as_text(result) if given.quick else pages.as_text(result))


if __name__ == "__main__":
    main()
