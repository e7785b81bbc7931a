"""The results of drills as a table, for a terminal and for a page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from headrace.lab.drill.figures import Figures
from headrace.lab.drill.summary import Spread, Summary, written_s
from headrace.lab.network.losses import late_words, lost_words, too_late

HEADS = (
    "event", "works again", "worst", "routes", "back", "DNS", "HTTP", "failed", "others",
    "by name", "on return", "cut", "wrong", "runs",
)  # fmt: skip

_FEW = 5
_REACHED = {
    "connecting": "no connection was made",
    "asked": "connected, and nothing came",
    "answered": "a part of the answer came",
}


def row(one: Summary) -> tuple[str, ...]:
    """Return the cells of a drill."""
    back = "" if one.back is None else written_s(one.back.median_s)
    runs = f"{one.runs}" + (f" (+{one.refused} refused)" if one.refused else "")
    return (
        one.title,
        written_s(one.works_again.median_s),
        written_s(one.works_again.worst_s),
        _routed(one.routed),
        back,
        _routed(one.dns),
        _routed(one.http),
        str(one.failed),
        str(one.failed_others),
        str(one.failed_named),
        "" if one.back is None else str(one.failed_back),
        str(one.cut + one.cut_back),
        str(one.wrong),
        runs,
    )


def _routed(one: Spread) -> str:
    """Return the median; where nothing moved there is none."""
    return "–" if one.median_s is None else written_s(one.median_s)


def text_table(summaries: Iterable[Summary]) -> list[str]:
    """Return the table for a terminal."""
    return aligned([HEADS, *(row(one) for one in summaries)])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines of text, their first cells to the left and all others to the right."""
    widths = [max(len(each[at]) for each in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(widths[at]) if at == 0 else cell.rjust(widths[at])
            for at, cell in enumerate(each)
        ).rstrip()
        for each in rows
    ]


def markdown_table(summaries: Iterable[Summary]) -> list[str]:
    """Return the table for a page."""
    return marked_down([HEADS, *(row(one) for one in summaries)])


def marked_down(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as Markdown, the first one as the head."""
    lines = [f"| {' | '.join(one)} |" for one in rows]
    return [lines[0], "|---" + "|--:" * (len(rows[0]) - 1) + "|", *lines[1:]]


def run_line(number: int, figures: Figures) -> str:
    """Return one run in a line."""
    parts = [
        f"run {number}: works again after {written_s(figures.works_again_s)}",
        f"routes moved after {written_s(figures.routed_s)}",
        _of_requests(figures),
    ]
    if figures.back_s is not None:
        parts.append(f"back after {written_s(figures.back_s)}")
    if figures.elsewhere:
        parts.append(f"{figures.resumed} of {figures.elsewhere} resumed TLS at the neighbour")
    if figures.cut or figures.cut_back:
        parts.append(f"{figures.cut + figures.cut_back} downloads cut")
    if figures.wrong:
        parts.append(f"{figures.wrong} bodies WRONG")
    parts.append(f"clients at most {written_s(figures.late_s)} late")
    return "; ".join((*parts, *_of_lines(figures)))


def _of_requests(figures: Figures) -> str:
    """Return how many requests failed of all, how, and whom they were sent to."""
    asked = {
        "to affected VIPs": figures.failed,
        "to others": figures.failed_others,
        "by name": figures.failed_named,
        "on return": figures.failed_back,
    }
    said = f"{sum(asked.values())} of {figures.requests} requests failed"
    if figures.outcomes:
        counted = (f"{count} {what}" for what, count in sorted(figures.outcomes.items()))
        said += f" ({', '.join(counted)})"
    parts = [f"{count} {where}" for where, count in asked.items() if count]
    return f"{said}: {', '.join(parts)}" if parts else said


def _of_lines(figures: Figures) -> Iterator[str]:
    """Yield what the lab's lines did by themselves."""
    if lost := lost_words(figures.lost):
        yield f"lines lost {lost}"
    if late := late_words(figures.lost):
        so = (
            ": the machine was busy, what timed out may be for that"
            if too_late(figures.lost)
            else ""
        )
        yield f"relays were late: {late}{so}"


def failure_lines(figures: Figures) -> list[str]:
    """Return the first requests that failed and downloads that were cut, where they were few: many
    are an interruption, and the figures say how long that was.
    """
    failures = figures.failures if len(figures.failures) <= _FEW else []
    ended = figures.ended if len(figures.ended) <= _FEW else []
    return [
        f"failed: {one.client} to {one.host}, {one.after_s:.2f} s after the event: {one.outcome}"
        + (f", {_REACHED[one.reached]}" if one.reached else "")
        for one in failures
    ] + [
        f"cut: {one.client} from {one.host}, {one.ended_s:.2f} s after the event (begun at "
        f"{one.began_s:.2f} s, {one.bytes} bytes): {one.outcome}"
        for one in ended
    ]


def load_lines(runs: Sequence[Figures]) -> list[str]:
    """Return what servers answered a second, before the event and after: the mean of all runs."""
    names = sorted({name for run in runs for name in run.load})
    lines = []
    for name in names:
        pairs = [run.load[name] for run in runs if name in run.load]
        before = sum(pair.before for pair in pairs) / len(runs)
        after = sum(pair.after for pair in pairs) / len(runs)
        lines.append(f"{name}: {before:.0f}/s before, {after:.0f}/s after")
    return lines


def lost_lines(runs: Sequence[Figures]) -> list[str]:
    """Return which lines of the lab lost packets or were late, in which run."""
    return [
        f"run {number}: the lab's {words}"
        for number, run in enumerate(runs, 1)
        for words in _of_lines(run)
    ]
