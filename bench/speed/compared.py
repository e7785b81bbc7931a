"""What a result says of each work: figures of all servers, and ratios within rounds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.speed.figures import median
from bench.speed.result import Measured, Result, Sample, Tail
from bench.speed.rounds import Interval, Spread, against, interval, pooled, ratios, spread
from bench.speed.rounds import tail_ratio as ratio_of_tails

OWN = "headrace"
Field = Callable[[Sample], float | None]


@dataclass(frozen=True, slots=True)
class Compared:
    """One work. Ratios are by the other server, and above 1 in our favour.

    `ratios` are of the figures, `cpu_ratios` and `instruction_ratios` of what an answer costs. What
    was not measured is missing. `shares` are what server, load and origin took of a core each.
    """

    letter: str
    title: str
    unit: str
    figures: Mapping[str, Spread] = field(default_factory=dict)
    ratios: Mapping[str, Spread] = field(default_factory=dict)
    cpu_us: Mapping[str, Spread] = field(default_factory=dict)
    cpu_ratios: Mapping[str, Spread] = field(default_factory=dict)
    instructions: Mapping[str, Spread] = field(default_factory=dict)
    instruction_ratios: Mapping[str, Spread] = field(default_factory=dict)
    shares: Mapping[str, tuple[float | None, float | None, float | None]] = field(
        default_factory=dict
    )
    failures: Mapping[str, str] = field(default_factory=dict)
    ceiling: float | None = None


def figure(sample: Sample) -> float | None:
    return sample.figure


def cpu(sample: Sample) -> float | None:
    return sample.cpu_us


def instructions(sample: Sample) -> float | None:
    return sample.instructions


def by_round(measured: Measured, peer: str, of: Field) -> dict[int, float]:
    """One peer's values by round."""
    found = measured.samples.get(peer, {})
    values = ((number, of(sample)) for number, sample in found.items())
    return {number: value for number, value in values if value is not None}


def all_works(result: Result) -> list[Compared]:
    """Every work, in the order of letters; percentiles over all rounds in place of medians."""
    tails = [compared_tail(tail, letter) for tail in result.tails for letter in tail.ranks]
    of_tails = {each.letter: each for each in tails}
    found = [compared(each) for each in result.works if each.letter not in of_tails]
    cost = {each.letter: compared(each) for each in result.works if each.letter in of_tails}
    found += [_with_cost(each, cost.get(each.letter)) for each in tails]
    return sorted(found, key=lambda each: each.letter)


def compared(measured: Measured) -> Compared:
    """From slices."""
    return Compared(
        measured.letter, measured.title, measured.unit,
        _spreads(measured, figure), _ratios(measured, figure, measured.more_is_better),
        _spreads(measured, cpu), _ratios(measured, cpu, more_is_better=False),
        _spreads(measured, instructions), _ratios(measured, instructions, more_is_better=False),
        {peer: _shares(found.values()) for peer, found in measured.samples.items() if found},
        measured.failures, measured.ceiling,
    )  # fmt: skip


def _spreads(measured: Measured, of: Field) -> dict[str, Spread]:
    found = {peer: by_round(measured, peer, of) for peer in measured.samples}
    return {peer: spread(list(values.values())) for peer, values in found.items() if values}


def _ratios(measured: Measured, of: Field, more_is_better: bool) -> dict[str, Spread]:
    own = by_round(measured, OWN, of)
    found = {
        peer: against(own, by_round(measured, peer, of), more_is_better=more_is_better)
        for peer in measured.samples
        if peer != OWN
    }
    return {peer: each for peer, each in found.items() if each is not None}


def _shares(samples: Iterable[Sample]) -> tuple[float | None, float | None, float | None]:
    kept = list(samples)

    def middle(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return median(known) if known else None

    return (
        middle([each.server for each in kept]),
        middle([each.load for each in kept]),
        middle([each.origin for each in kept]),
    )


def compared_tail(tail: Tail, letter: str) -> Compared:
    """From times of single answers, over all rounds."""
    rank = tail.ranks[letter]
    own = tail.ms.get(OWN, {})
    found = {
        peer: ratio_of_tails(own, theirs, rank) for peer, theirs in tail.ms.items() if peer != OWN
    }
    return Compared(
        letter, f"{tail.title}, p{rank:g}", "ms",
        {peer: _tail_spread(by_number, rank) for peer, by_number in tail.ms.items() if by_number},
        {peer: each for peer, each in found.items() if each is not None},
    )  # fmt: skip


def _tail_spread(by_number: Mapping[int, Sequence[float]], rank: float) -> Spread:
    """The percentile over all rounds, and the range of those of single rounds."""
    single = spread([pooled(by_number, [number], rank) for number in by_number])
    whole = pooled(by_number, by_number, rank)
    return Spread(whole, min(whole, single.low), max(whole, single.high), single.count)


def _with_cost(tail: Compared, cost: Compared | None) -> Compared:
    if cost is None:
        return tail
    return Compared(
        tail.letter, tail.title, tail.unit, tail.figures, tail.ratios, cost.cpu_us,
        cost.cpu_ratios, cost.instructions, cost.instruction_ratios, cost.shares, cost.failures,
    )  # fmt: skip


def closest(found: Mapping[str, Spread]) -> tuple[str, Spread] | None:
    """The best of the others: the one to which our ratio is lowest."""
    if not found:
        return None
    peer = min(found, key=lambda name: found[name].median)
    return peer, found[peer]


def sure(measured: Measured, peer: str, of: Field, *, more_is_better: bool) -> Interval | None:
    """Where the median ratio to a peer lies; None when no round has both."""
    found = ratios(
        by_round(measured, OWN, of), by_round(measured, peer, of), more_is_better=more_is_better
    )
    return interval(found) if found else None
