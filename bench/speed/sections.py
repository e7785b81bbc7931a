"""The page's sections on what is not measured in slices; empty where nothing was. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.speed.figures import median
from bench.speed.result import Aside, Workers
from bench.speed.rounds import spread
from bench.speed.tables import by_size, cell, number, table


def all_of(aside: Aside, name: str) -> list[str]:
    """Those that there are figures for, of the machine of this name."""
    found = (
        ("Storing small objects (s)", stores(aside)),
        ("Growth (k)", growth(aside)),
        ("Cold page cache (l)", cold(aside)),
        ("Three origins instead of one (m)", pools(aside)),
        ("A switch to another origin (n)", switches(aside)),
    )
    return [f"### {title}: {name}\n\n{text}" for title, text in found if text]


def _cell(values: Sequence[float]) -> str:
    return cell(spread(values) if values else None)


def stores(aside: Aside) -> str:
    """What it took to store so many objects of 1 KB."""
    if not aside.fill_s:
        return ""
    return "\n\n".join((
        "Seconds until so many objects of 1 KB were fetched and stored; the server has one core, "
        "load and origin share another:",
        by_size("s", aside.fill_s),
        "Processor time of the server for each of those that the last step added:",
        by_size("µs an object", aside.fill_us),
    ))  # fmt: skip


def growth(aside: Aside) -> str:
    """How the cost of an answer grows."""
    parts = []
    if aside.connections_us:
        parts += [
            "Processor time of the server for one answer of 1 KB, by the number of connections, "
            "measured once:",
            by_size("µs an answer", aside.connections_us),
        ]
    if aside.workers_us:
        parts.append(workers(aside.workers_per_s, aside.workers_us))
    return "\n\n".join(parts)


def workers(per_s: Workers, each_us: Workers) -> str:
    """What one worker and two deliver, and at what cost."""
    rows = []
    for kind, rates in per_s.items():
        if not rates.get(1) or not rates.get(2):
            continue
        own_us = each_us[kind]
        rows.append([
            kind, _cell(rates[1]), _cell(rates[2]), f"{median(rates[2]) / median(rates[1]):.2f}",
            number(median(own_us[1])), number(median(own_us[2])),
        ])  # fmt: skip
    head = [
        "2 MB segments", "one worker, answers/s", "two workers, answers/s", "ratio",
        "one worker, µs an answer", "two workers, µs an answer",
    ]  # fmt: skip
    intro = (
        "Each worker has a core of its own. The load only drops what it receives; with two workers "
        "it shares their cores, which lowers the ratio, least over TLS:"
    )
    return f"{intro}\n\n{table(head, rows)}"


def cold(aside: Aside) -> str:
    """What cold objects do to the hits beside them."""
    if not aside.cold_ms:
        return ""
    rows = [
        [peer, *(_cell([found[column] for found in rounds]) for column in (1, 0, 2))]
        for peer, rounds in aside.cold_ms.items()
    ]
    head = [
        "p99 of the hits' first byte", "beside warm objects, ms", "beside cold objects, ms", "ratio"
    ]  # fmt: skip
    intro = (
        "Hits at a fixed rate. Every tenth request is for another 2 MB object, which is in the "
        "page cache (warm) or on disk only (cold)."
    )
    return f"{intro}\n\n{table(head, rows)}"


def pools(aside: Aside) -> str:
    """What it costs a miss that its body could be continued from another origin."""
    if not aside.pools:
        return ""
    return f"A miss with three origins costs {_cell(aside.pools)} times what one with one costs."


def switches(aside: Aside) -> str:
    """What a switch to another origin takes."""
    found = aside.switching
    if not found:
        return ""
    rows = [
        ["a 2 MB miss whose origin is sound", f"{_cell([s.whole_ms for s in found])} ms"],
        ["extra time when the origin breaks off in the middle and another continues",
         f"{_cell([s.longer_ms for s in found])} ms"],
        ["extra requests for a switch", _cell([s.requests for s in found])],
        ["extra connections where they are kept open", _cell([s.connects for s in found])],
        ["extra connections where they are not", _cell([s.connects_unkept for s in found])],
        ["a stalled origin is given up after, at the latest",
         f"{_cell([s.left_after for s in found])} times the time limit"],
    ]  # fmt: skip
    return table(["what", "found"], rows)
