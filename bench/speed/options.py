"""The command line of `python -m bench.speed`."""

from __future__ import annotations

import argparse
import functools
import re
import shutil
from pathlib import Path
from typing import Any

from bench.speed import mixed, small
from bench.speed.peers import PEERS, Peer, start_headrace
from bench.speed.works import WORKS

ASIDE = ("i", "i1", "i2", "k", "l", "m", "n")
STORES = [small.letter(size) for size in small.SIZES]
LATENCIES = [name for ranks in mixed.RANKS.values() for name in ranks]
SLICED = [work.letter for work in (*WORKS, *mixed.WORKS)]
NAMES = {
    *ASIDE, *STORES, *LATENCIES, *SLICED, *(name[0] for name in (*SLICED, *STORES)),
}  # fmt: skip
"""What `--only` may name: works, and letters for all works that begin with them."""
MILLION_FILL_S = 1200.0
HELP = """\
works: a segments; b1, b2 segments over TLS (AES-128, AES-256); c manifests; d manifests over TLS;
e1 mixed load at full speed; e2 to e7 its latencies at a fixed rate (measured together: --only e2);
f1 misses of 2 MB; f2 a hundred clients of one cold object; f3 misses of 1 KB; g ranges;
h1 new connections; h2, h3 the same over TLS, with full handshakes and resumed;
i memory of idle connections; k growth with connections and workers; l a cold page cache;
m, n several origins; s small objects that are stored but not in memory.

The result is printed as Markdown. Nothing is written unless --json or --output is given.
examples:
  python -m bench.speed --only c --rounds 3
  python -m bench.speed --only a,b1 --peers headrace,nginx --passes 1
  python -m bench.speed --name my-server --json my-server.json
"""


def options(about: str | None) -> argparse.Namespace:
    """The command line, checked; `about` is its description."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.speed", description=about, epilog=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_options(parser)
    found = parser.parse_args()
    if found.million:
        found.objects = small.SIZES[-1]
    for name in words(found.only):
        if name not in NAMES:
            parser.error(f"there is no work {name}")
    for name in words(found.peers):
        if name not in {peer.name for peer in PEERS}:
            parser.error(f"there is no peer {name}")
    if found.name and not re.fullmatch("[a-z0-9][a-z0-9-]{0,39}", found.name):
        parser.error("a machine's name is of lower-case letters, digits and hyphens, 40 at most")
    if min(found.passes, found.rounds, found.aside_rounds) < 1 or found.slice < 0.1:
        parser.error("there is at least one round, and a slice takes 0.1 s or more")
    return found


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command line may say."""
    number: dict[str, Any] = {"type": int, "metavar": "N"}
    seconds: dict[str, Any] = {"type": float, "metavar": "SECONDS"}
    add = parser.add_argument
    add(
        "--quick",
        action="store_true",
        help="the most important works, in about a minute; --passes, --rounds, --slice are fixed",
    )
    add("--passes", default=3, **number, help="go through all works so many times (default: 3)")
    add("--rounds", default=5, **number, help="rounds of each work in a pass (default: 5)")
    add("--slice", default=0.5, **seconds, help="how long a server's turn takes (default: 0.5)")
    add("--aside-rounds", default=3, **number, help="rounds of i, l, m and n (default: 3)")
    add(
        "--aside-seconds",
        default=3.0,
        **seconds,
        help="for each measurement of k, l and m (default: 3)",
    )
    add("--objects", default=100_000, **number, help="store up to so many for s (default: 100000)")
    add("--million", action="store_true", help="store a million for s")
    add(
        "--seeded",
        action="store_true",
        help="for s, write objects straight into the edge's store, not by misses",
    )
    add(
        "--fill-seconds",
        default=MILLION_FILL_S,
        **seconds,
        help=f"give up storing for s after so long, per server (default: {MILLION_FILL_S:.0f})",
    )
    add(
        "--only",
        default="",
        metavar="WORKS",
        help="these works only, by letter or name: a,c,h1 (default: all)",
    )
    add(
        "--peers",
        default="",
        metavar="NAMES",
        help="these servers only: " + ",".join(peer.name for peer in PEERS),
    )
    add(
        "--python",
        action="append",
        default=[],
        metavar="NAME=PATH",
        type=other,
        help="add Headrace on another Python, as the server headrace-NAME; may be repeated",
    )
    add(
        "--name",
        default="",
        help="of this machine: lower-case letters, digits, hyphens (default: its processor)",
    )
    add("--json", type=Path, metavar="FILE", help="write the result to this file")
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="add this machine to the page in this directory, or replace it (docs/benchmarks)",
    )


def other(text: str) -> Peer:
    """What `--python` names: Headrace on another interpreter, in whose environment it can run."""
    name, _, path = text.partition("=")
    if not (name and path and shutil.which(path)):
        raise argparse.ArgumentTypeError("it is NAME=PATH, and a Python is at that path")
    start = functools.partial(start_headrace, python=path)
    return Peer(f"headrace-{name}", path, start)


def works_of(only: str) -> list[str]:
    """The works for these names: all latencies of mixed load are found by one of them."""
    return [mixed.TIMED if name in LATENCIES else name for name in words(only)]


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]
