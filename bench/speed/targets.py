"""What Headrace wants to reach, as ratios within one run, and whether it does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.speed.figures import Line, best_peer, median, ratio

OWN = "headrace"
Lines = Mapping[str, Line]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`value` is None when there is no figure to judge; then `met` is None, or False when the
    work failed in some round.
    """

    work: str
    target: str
    value: float | None
    met: bool | None


@dataclass(frozen=True, slots=True)
class _Target:
    letter: str
    work: str
    text: str
    limit: float
    value: Callable[[Line], float | None]
    at_most: bool = False


def against_best(line: Line) -> float | None:
    best = best_peer(line, OWN)
    return None if best is None else ratio(line, OWN, best)


def against(*names: str) -> Callable[[Line], float | None]:
    """The ratio to the best of these peers."""

    def value(line: Line) -> float | None:
        found = [each for each in (ratio(line, OWN, name) for name in names) if each is not None]
        return min(found) if len(found) == len(names) else None

    return value


def own_median(line: Line) -> float | None:
    values = line.figures.get(OWN)
    return median(values) if values else None


TARGETS = (
    _Target("a", "segments, plain", "≥ 1.0 × the best peer", 1.0, against_best),
    _Target("b", "segments, TLS", "≥ 1.3 × the best peer", 1.3, against_best),
    _Target("c", "manifests, plain", "≥ 1.0 × nginx", 1.0, against("nginx")),
    _Target("c", "manifests, plain", "≥ 0.9 × the best peer", 0.9, against_best),
    _Target("d", "manifests, TLS", "≥ 0.9 × nginx", 0.9, against("nginx")),
    _Target("e1", "mixed, throughput", "≥ 1.0 × nginx", 1.0, against("nginx")),
    _Target("e3", "mixed, p99 of the first byte", "≥ 1.0 × the best of nginx and Varnish", 1.0,
            against("nginx", "varnish")),
    _Target("f1", "misses", "≥ 0.9 × nginx", 0.9, against("nginx")),
    _Target("f2", "a hundred clients, one cold object: one fetch, and the last client",
            "≥ 1.0 × nginx", 1.0, against("nginx")),
    _Target("g", "ranges", "≥ 1.0 × nginx", 1.0, against("nginx")),
    _Target("i", "memory of an idle connection", "≤ 20 KiB", 20.0, own_median, at_most=True),
    _Target("j1", "CPU for 1 GB, plain", "≥ 1.0 × the best peer", 1.0, against_best),
    _Target("j2", "CPU for 1 GB, TLS", "≥ 1.0 × the best peer", 1.0, against_best),
    _Target("k1", "cost of a request, most objects : 1,000 objects", "≤ 1.2", 1.2, own_median,
            at_most=True),
    _Target("k4", "segments, two workers : one", "≥ 1.7", 1.7, own_median),
    _Target("l", "hits' p99 beside cold objects : beside warm ones", "≤ 2", 2.0, own_median,
            at_most=True),
    _Target("m", "a miss whose origin can be switched : one that cannot", "≤ 1.03", 1.03,
            own_median, at_most=True),
    _Target("n1", "requests and connects more for a switch", "≤ 2", 2.0, own_median, at_most=True),
    _Target("n2", "connects more where connections are kept", "≤ 0", 0.0, own_median, at_most=True),
    _Target("n3", "a stalled origin is left after so many time limits", "≤ 1.1", 1.1, own_median,
            at_most=True),
)  # fmt: skip


def verdicts(lines: Iterable[Line]) -> list[Verdict]:
    """One for each target, also for those of which there is no figure."""
    by_letter = {line.letter: line for line in lines}
    found = []
    for target in TARGETS:
        line = by_letter.get(target.letter)
        value = None if line is None else target.value(line)
        met = None
        if value is not None:
            met = value <= target.limit if target.at_most else value >= target.limit
        if line is not None and OWN in line.failures:
            met = False
        found.append(Verdict(f"{target.letter} {target.work}", target.text, value, met))
    return found


def as_table(found: Iterable[Verdict]) -> str:
    """The verdicts as a Markdown table."""
    rows = ["| work | target | reached | |", "|---|---|--:|---|"]
    for verdict in found:
        value = "–" if verdict.value is None else f"{verdict.value:.2f}"
        word = {True: "met", False: "**not met**", None: "not measured"}[verdict.met]
        rows.append(f"| {verdict.work} | {verdict.target} | {value} | {word} |")
    return "\n".join(rows)
