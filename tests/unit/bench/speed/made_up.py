"""Results as one machine or another might find them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.speed.result import FORMAT, Aside, Machine, Measured, Result, Sample, Tail

PEERS = ["headrace", "nginx", "varnish", "trafficserver"]


def samples(figures: Sequence[float], cpu_us: Sequence[float] | None = None) -> dict[int, Sample]:
    """One for each round; what an answer costs is 10 µs unless it is given."""
    costs = cpu_us or [10.0] * len(figures)
    return {
        number: Sample(figure, cost, None, 0.9, 0.5, 0.1)
        for number, (figure, cost) in enumerate(zip(figures, costs, strict=True))
    }


def work(
    letter: str, figures: Mapping[str, Sequence[float]], *, unit: str = "GB/s",
    more_is_better: bool = True, cpu_us: Mapping[str, Sequence[float]] | None = None,
    failures: dict[str, str] | None = None, ceiling: float | None = None,
) -> Measured:  # fmt: skip
    """One work by peer."""
    found = {peer: samples(values, (cpu_us or {}).get(peer)) for peer, values in figures.items()}
    return Measured(letter, f"work {letter}", unit, more_is_better, found, failures or {}, ceiling)


def machine(name: str, date: str = "2026-01-01") -> Machine:
    return Machine(
        name, f"processor {name}", "aes vaes", 2, 24, "6.1", "3.11.7", "OpenSSL 3", date,
        {"nginx": "nginx 1.22"}, instructions_counted=False, stolen=0.01,
    )  # fmt: skip


def result(
    works: Sequence[Measured], *, name: str = "one", tails: Sequence[Tail] = (),
    aside: Aside | None = None, date: str = "2026-01-01",
) -> Result:  # fmt: skip
    """One machine's."""
    return Result(
        FORMAT, machine(name, date), 0.5, 600.0, PEERS, list(works), list(tails), aside or Aside()
    )
