"""From figures to the report's text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.speed import targets
from bench.speed.figures import Line, best_peer, median, ratio
from bench.speed.switching import Switching
from bench.speed.targets import OWN

FINDINGS = Path(__file__).parent / "findings.md"
"""What profiles have shown, in words."""

Costs = Mapping[str, Mapping[int, float]]
Workers = Mapping[str, Mapping[int, Sequence[float]]]
"""Figures of each round by kind of segment and number of workers."""
"""Microseconds for an answer, by peer and size."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured on: no names, no paths."""

    processor: str
    cores: int
    kernel: str
    python: str
    date: str
    versions: str


@dataclass(frozen=True, slots=True)
class Aside:
    """Figures that are not one for each round and peer.

    `cold_ms` is, by peer and round, the hits' p99 beside cold objects, beside warm ones, and the
    quotient. `busy` are shares of its core that the load generator took, by work, peer and round.
    """

    same_us: Costs = field(default_factory=dict)
    uniform_us: Costs = field(default_factory=dict)
    connections_us: Costs = field(default_factory=dict)
    workers_us: Workers = field(default_factory=dict)
    workers_per_s: Workers = field(default_factory=dict)
    cold_ms: Mapping[str, Sequence[tuple[float, float, float]]] = field(default_factory=dict)
    busy: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    switching: Sequence[Switching] = ()


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def cell(values: Sequence[float]) -> str:
    """A median with its spread."""
    if not values:
        return "–"
    if len(values) == 1:
        return number(values[0])
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def comparison(lines: Sequence[Line], peers: Sequence[str]) -> str:
    """Medians, spread in brackets, and two ratios."""
    rows = []
    for line in lines:
        best = best_peer(line, OWN)
        against_best = ratio(line, OWN, best) if best is not None else None
        against_nginx = ratio(line, OWN, "nginx")
        rows.append([
            f"{line.letter} {line.title}",
            line.unit,
            *(cell(line.figures.get(peer, ())) for peer in peers),
            "–" if against_best is None else f"**{against_best:.2f}** ({best})",
            "–" if against_nginx is None else f"{against_nginx:.2f}",
        ])  # fmt: skip
    return table(["work", "unit", *peers, f"{OWN} : best other", f"{OWN} : nginx"], rows)


def shares(lines: Sequence[Line], peers: Sequence[str]) -> str:
    """Each figure as a share of what the bare loop sends."""
    rows = []
    for line in lines:
        if not line.ceiling:
            continue
        cells = [
            f"{median(values) / line.ceiling:.0%}" if (values := line.figures.get(peer)) else "–"
            for peer in peers
        ]
        rows.append([f"{line.letter} {line.title}", f"{number(line.ceiling)} {line.unit}", *cells])
    return table(["work", "ceiling", *peers], rows)


def failures(lines: Sequence[Line]) -> str:
    """What could not be measured, and why, as a Markdown list."""
    items = [
        f"- {line.letter} {line.title}, {peer}: {reason}"
        for line in lines
        for peer, reason in line.failures.items()
    ]
    return "\n".join(items) if items else "Nothing."


def costs(name: str, by_peer: Costs) -> str:
    """Microseconds for an answer as a table, a column for each size."""
    sizes = sorted({size for found in by_peer.values() for size in found})
    rows = [
        [peer, *(f"{found[size]:.1f}" if size in found else "–" for size in sizes)]
        for peer, found in by_peer.items()
    ]
    return table([name, *(f"{size:,}" for size in sizes)], rows)


def workers(aside: Aside) -> str:
    """What one worker and two deliver, and at what cost."""
    rows = []
    for kind, rates in aside.workers_per_s.items():
        own_us = aside.workers_us[kind]
        one, two = median(rates[1]), median(rates[2])
        rows.append([kind, cell(rates[1]), cell(rates[2]), f"{two / one:.2f}",
                     f"{median(own_us[1]):.0f}", f"{median(own_us[2]):.0f}"])  # fmt: skip
    head = ["2 MB segments", "one worker, /s", "two, /s", ":", "one, µs each", "two, µs each"]
    intro = (
        "Workers, each on a core of its own. The load only drops what comes; beside two workers it "
        "shares their cores, which lowers the ratio, least for TLS:"
    )
    return f"{intro}\n\n{table(head, rows)}"


def growth(aside: Aside) -> str:
    """The section on how the cost of an answer grows; empty when nothing was measured."""
    parts = []
    if aside.same_us:
        parts += [
            "Objects stored, the same thousand asked for:",
            costs("µs an answer", aside.same_us),
            "Objects stored, all of them asked for alike, many for the first time since:",
            costs("µs an answer", aside.uniform_us),
        ]
    if aside.connections_us:
        parts += ["Connections:", costs("µs an answer", aside.connections_us)]
    if aside.workers_us:
        parts += [workers(aside)]
    if not parts:
        return ""
    intro = "Processor time of the server for one answer of 1 KB, measured once."
    return "\n\n".join(["## Growth (k)", intro, *parts])


def switches(aside: Aside) -> str:
    """The section on switches between origins; empty when nothing was measured."""
    found = aside.switching
    if not found:
        return ""
    rows = [
        ["a 2 MB miss whose origin is sound", f"{cell([s.whole_ms for s in found])} ms"],
        ["longer when it is reset in the middle and another continues",
         f"{cell([s.longer_ms for s in found])} ms"],
        ["requests more, for each switch", cell([s.requests for s in found])],
        ["connects more, where connections are kept", cell([s.connects for s in found])],
        ["connects more, where none is kept", cell([s.connects_unkept for s in found])],
        ["a stalled origin is left after so many time limits, at the latest",
         cell([s.left_after for s in found])],
    ]  # fmt: skip
    return f"## A switch to another origin (n)\n\n{table(['what', 'found'], rows)}"


def cold(aside: Aside) -> str:
    """The section on cold objects; empty when nothing was measured."""
    if not aside.cold_ms:
        return ""
    rows = [
        [peer, *(cell([found[column] for found in rounds]) for column in (1, 0, 2))]
        for peer, rounds in aside.cold_ms.items()
    ]
    head = ["hits' p99 of the first byte", "beside warm objects, ms", "beside cold ones, ms", ":"]
    intro = (
        "Hits at a fixed rate; each tenth request is for another 2 MB object, which is on disk "
        "but not in memory, or in memory."
    )
    return "\n\n".join(["## Cold page cache (l)", intro, table(head, rows)])


def busy(aside: Aside, peers: Sequence[str]) -> str:
    """The section on what the load generator had left; empty when nothing was measured."""
    if not aside.busy:
        return ""
    rows = [
        [letter, *(f"{median(found[peer]):.0%}" if peer in found else "–" for peer in peers)]
        for letter, found in aside.busy.items()
    ]
    intro = (
        "The share of its core that the load generator took. Where it is near 100 %, or the "
        "origin takes the rest, the figure is a lower bound for the peer."
    )
    return "\n\n".join(
        ["## Was the load generator the limit?", intro, table(["work", *peers], rows)]
    )


def document(
    machine: Machine, lines: Sequence[Line], aside: Aside, peers: Sequence[str],
    *, rounds: int, seconds: float, images: Sequence[str],
) -> str:  # fmt: skip
    """The whole report. `lines` may hold some for targets only, which have no unit."""
    compared = [line for line in lines if line.unit]
    intro = f"""\
Written by `make bench`. Medians of {rounds} rounds of {seconds:g} s, lowest and highest in \
brackets. Ratios above 1 are in Headrace's favour. Each server has one worker on one core; the \
origin (nginx) and the load share the other (32 connections, 8 for misses; wrk for manifests \
and new connections, a loop of the bench's own for the rest). Everything is on loopback, and in \
the page cache unless said otherwise. Latencies count from the moment a request was due.

Machine: {machine.processor}, {machine.cores} cores, Linux {machine.kernel}, Python \
{machine.python}, {machine.date}. {machine.versions}."""
    noted = "\n".join(f"- {note}" for note in aside.notes)
    sections = [
        "# Speed, side by side",
        intro,
        comparison(compared, peers),
        *(f"![{name}]({name})" for name in images),
        "## Targets\n\n" + targets.as_table(targets.verdicts(lines)),
        "## Share of the ceiling\n\nThe ceiling is a bare loop that only sends the same bytes, "
        "in plain, on the same core.\n\n" + shares(compared, peers),
        FINDINGS.read_text(encoding="utf-8").rstrip(),
        busy(aside, peers),
        growth(aside),
        cold(aside),
        switches(aside),
        "## Not measured\n\n" + failures(compared) + (f"\n{noted}" if noted else ""),
        "The peers' configurations are in `bench/speed/configs`; improve them.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"
