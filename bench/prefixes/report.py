"""Results as a page."""

from __future__ import annotations

from collections.abc import Sequence

from bench.prefixes.measure import Result

PAGE = """\
# Clients among a million prefixes

Written by `python -m bench.prefixes`. {prefixes:,} prefixes, three quarters IPv4, in the \
lengths that routing tables have, many inside others, seed {seed}; {look_ups:,} look-ups for each \
address family, a tenth of them of addresses that no prefix covers. Times are processor times; \
each way has a process of its own. All {checked:,} look-ups gave the same as a dictionary for each \
prefix length. {where}

| way | read description | build | memory | look-up IPv4 | IPv6 |
|---|--:|--:|--:|--:|--:|
{rows}

*Ranges* is what routers run (`headrace.topology.prefixes`): nested prefixes are flattened once \
into disjoint ranges, so that a look-up is one binary search, and the range also says for how long \
a prefix the answer holds. *Built* is what the supervisor does, in a separate process; its memory \
is its peak, the description included. *Mapped* is what workers do with what it built: they share \
the file. *A dictionary for each length* is the usual way without a library; its memory does not \
include the description.

The aims: a look-up in 2 µs at most, loading in 5 s, 500 MB.
"""


def report(
    results: Sequence[Result], *, prefixes: int, look_ups: int, seed: int, where: str
) -> str:
    """Return the page. `where` says what the machine is, and the date."""
    return PAGE.format(
        prefixes=prefixes,
        seed=seed,
        look_ups=look_ups,
        checked=2 * look_ups,
        where=where,
        rows="\n".join(_row(each) for each in results),
    )


def _row(result: Result) -> str:
    read = f"{result.read_s:.1f} s" if result.read_s else "–"
    build = f"{result.build_s:.1f} s" if result.build_s >= 0.1 else f"{result.build_s * 1e3:.1f} ms"
    memory = f"{result.memory_bytes / 1e6:.0f} MB"
    looks = f"{result.v4_us:.2f} µs | {result.v6_us:.2f} µs"
    return f"| {result.way} | {read} | {build} | {memory} | {looks} |"
