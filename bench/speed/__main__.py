"""Compare the edge with other caches on this machine: `python -m bench.speed [--quick]`.

All servers are up at once, each with one worker, on one core; the origin and the load have the
other. They take turns at each work in slices of half a second, in rounds: what counts is the ratio
within a round.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from bench.speed import machine, mixed, needed, pages, quick, small
from bench.speed.aside import OF_FILES, AsideRun
from bench.speed.counters import Counter
from bench.speed.load import LOAD_CORE
from bench.speed.options import options, words, works_of
from bench.speed.peers import PEERS, Peer
from bench.speed.result import FORMAT, Measured, Result, Tail, plain
from bench.speed.slices import Extent, Rounds
from bench.speed.stand import Stand
from bench.speed.work import Work
from bench.speed.works import WORKS

ALL = sorted((*WORKS, *mixed.WORKS), key=lambda work: work.letter)
QUICK = Extent(passes=1, rounds=6, slice_s=0.25)
QUICK_WORKS = ("a", "b1", "c", "d", "f1")


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


def run(
    given: argparse.Namespace, peers: list[Peer], absent: Sequence[str], counter: Counter,
    root: Path,
) -> Result:  # fmt: skip
    """Measure all that was asked for. `absent` are the peers that are not installed."""
    began, ticks = time.monotonic(), machine.processor_ticks()
    wanted = works_of(given.only) or (list(QUICK_WORKS) if given.quick else [])
    extent = QUICK if given.quick else Extent(given.passes, given.rounds, given.slice)
    works = [work for work in ALL if chosen(work.letter, wanted)]
    stand = Stand(root, large=any(work.letter == "g" for work in works))
    measured, tails = in_slices(stand, peers, works, extent, counter) if works else ([], [])
    aside = AsideRun(stand, peers, given.aside_rounds, given.aside_seconds, say)
    aside.found.notes += [f"{name}: not installed" for name in absent]
    if works:
        say(f"{', '.join(work.letter for work in works)} took {time.monotonic() - began:.0f} s")
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


def main() -> None:
    """Parse the command line, measure, write what was found."""
    given = options(__doc__)
    wanted = words(given.peers)
    peers = [peer for peer in PEERS if not wanted or peer.name in wanted] + given.python
    absent = [peer.name for peer in peers if not peer.installed]
    peers = [peer for peer in peers if peer.installed]
    refused = needed.check()
    if refused is not None:
        print(f"bench.speed: {refused}", file=sys.stderr)
        sys.exit(2)
    counter = Counter()
    for line in needed.without(
        absent, counted=counter.works, descriptors=needed.raise_descriptors(),
        load=os.getloadavg()[0],
    ):  # fmt: skip
        say(line)
    signal.signal(signal.SIGTERM, end)
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as root:
        result = run(given, peers, absent, counter, Path(root))
    if given.json is not None:
        pages.write_result(result, given.json)
    if given.output is not None:
        pages.add(result, given.output, say)
    say(quick.as_text(result) if given.quick else pages.as_text(result))


if __name__ == "__main__":
    main()
