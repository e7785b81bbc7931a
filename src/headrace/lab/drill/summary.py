"""Several runs of a drill as one row: medians, the worst, and whether hopes were met. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

import msgspec

from headrace.config.drill.model import ExpectTable
from headrace.lab.drill.figures import Figures
from headrace.lab.drill.watched import Watched, watched


class Spread(msgspec.Struct, frozen=True):
    """A time over all runs. `never` counts the runs in which it did not happen: they are the
    longest of all.
    """

    median_s: float | None
    worst_s: float | None
    never: int = 0


class Summary(msgspec.Struct, frozen=True):
    """A drill's row. Counts are of the worst run; `wrong` is the sum of all."""

    name: str
    title: str
    runs: int
    refused: int
    works_again: Spread
    others: Spread
    routed: Spread
    back: Spread | None
    dns: Spread
    http: Spread
    requests: int
    failed: int
    failed_others: int
    failed_back: int
    wrong: int
    cut: int
    cut_back: int
    late_s: float
    missed: list[str] = []
    failed_named: int = 0
    elsewhere: int = 0
    resumed: int = 0
    watched: list[Watched] = []


def spread(times_s: Sequence[float | None]) -> Spread:
    """Return the median and the worst."""
    known = sorted(one for one in times_s if one is not None)
    never = len(times_s) - len(known)
    ranked = [*known, *([float("inf")] * never)]
    if not ranked:
        return Spread(None, None)
    median_s = statistics.median(ranked)
    return Spread(
        None if median_s == float("inf") else median_s, None if never else known[-1], never
    )


def summarize(
    name: str,
    title: str,
    runs: Sequence[Figures],
    expect: ExpectTable,
    healed: bool,
    errors: Sequence[str] = (),
) -> Summary:
    """Return the row of a drill. Runs whose figures were refused count for nothing but `wrong`;
    `errors` are those that did not end.
    """
    good = [run for run in runs if not run.refused]
    count = _worst_of(good)
    made = Summary(
        name,
        title,
        len(good),
        len(runs) - len(good),
        works_again=spread([run.works_again_s for run in good]),
        others=spread([run.others_s for run in good]),
        routed=spread([run.routed_s for run in good]),
        back=spread([run.back_s for run in good]) if healed else None,
        dns=spread([run.dns_s for run in good]),
        http=spread([run.http_s for run in good]),
        requests=sum(run.requests for run in good),
        failed=count(lambda run: run.failed),
        failed_others=count(lambda run: run.failed_others),
        failed_back=count(lambda run: run.failed_back),
        failed_named=count(lambda run: run.failed_named),
        elsewhere=sum(run.elsewhere for run in good),
        resumed=sum(run.resumed for run in good),
        wrong=sum(run.wrong for run in runs),
        cut=count(lambda run: run.cut),
        cut_back=count(lambda run: run.cut_back),
        late_s=max((run.late_s for run in good), default=0.0),
        watched=watched(run.played for run in runs),
    )
    return msgspec.structs.replace(made, missed=[*_missed(made, expect), *errors])


def _worst_of(runs: Sequence[Figures]) -> Callable[[Callable[[Figures], int]], int]:
    return lambda value: max((value(run) for run in runs), default=0)


def _missed(made: Summary, expect: ExpectTable) -> Iterator[str]:
    """Yield what was hoped for and did not come."""
    for one in made.watched:
        yield from one.fatal
    if not made.runs:
        if made.refused:
            yield "no run could be judged: the machine was too busy"
        return
    times = (
        ("new connections work again", made.works_again, expect.works_again_s),
        ("VIPs are back", made.back, expect.back_s),
        ("other VIPs fail no longer", made.others, expect.others_s),
    )
    for what, found, hoped_s in times:
        if hoped_s is None or found is None:
            continue
        if found.median_s is None or found.median_s > hoped_s:
            yield f"{what} after {written_s(found.median_s)}, not {written_s(hoped_s)}"
    failed = made.failed + made.failed_others + made.failed_back
    if expect.failed is not None and failed > expect.failed:
        yield f"{failed} requests failed, not {expect.failed}"
    if expect.failed_named is not None and made.failed_named > expect.failed_named:
        yield f"{made.failed_named} requests by name failed, not {expect.failed_named}"
    lost = made.elsewhere - made.resumed
    if expect.resumed and (lost or not made.elsewhere):
        yield f"{made.resumed} of {made.elsewhere} sessions of TLS were resumed at the neighbour"
    cut = made.cut + made.cut_back
    if expect.cut is not None and cut > expect.cut:
        yield f"{cut} downloads ended early, not {expect.cut}"
    if made.wrong:
        yield f"{made.wrong} bodies were wrong"


def written_s(time_s: float | None) -> str:
    """Return a time as people read it."""
    if time_s is None:
        return "never"
    if time_s < 0.001:
        return "0"
    return f"{1000 * time_s:.0f} ms" if time_s < 0.9995 else f"{time_s:.2f} s"
