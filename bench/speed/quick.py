"""What one minute can tell, and how sure it is. Pure."""

from __future__ import annotations

from bench.speed.compared import OWN, cpu, figure, sure
from bench.speed.result import Measured, Result
from bench.speed.rounds import Interval


def verdict(found: Interval) -> str:
    """What may be said: nothing where alike (1.0) lies within the interval."""
    if found.sureness < 0.9:
        return "too few rounds to say"
    if found.low > 1:
        return "ahead"
    if found.high < 1:
        return "behind"
    return "cannot tell"


def as_text(result: Result) -> str:
    """A paragraph for each work, with a line for each other server."""
    known = result.machine
    lines = [
        f"{known.processor}, AES by {known.aes or 'nothing special'}, {known.cores} cores, Linux "
        f"{known.kernel}, {result.took_s:.0f} s.",
        "Ratios are medians within rounds, above 1 in Headrace's favour; in brackets is where the "
        "true one lies, and how sure that is for this minute on this machine. Other times of day, "
        "tails, memory and full stores need `make bench`.",
    ]
    for measured in result.works:
        lines += ["", f"{measured.letter} {measured.title}", *_lines(measured)]
    return "\n".join(lines)


def _lines(measured: Measured) -> list[str]:
    found = []
    for peer in measured.samples:
        if peer == OWN:
            continue
        by_figure = sure(measured, peer, figure, more_is_better=measured.more_is_better)
        by_cost = sure(measured, peer, cpu, more_is_better=False)
        if by_figure is None:
            continue
        text = f"  {peer:14} {measured.unit}: {_interval(by_figure)}"
        if by_cost is not None:
            text += f"; processor time: {_interval(by_cost)}"
        found.append(text)
    found += [f"  {peer:14} {reason}" for peer, reason in measured.failures.items()]
    return found


def _interval(found: Interval) -> str:
    return (
        f"{found.median:.2f} × ({found.low:.3f} to {found.high:.3f}, "
        f"{found.sureness:.0%} sure): {verdict(found)}"
    )
