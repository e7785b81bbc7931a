"""The figures as a page."""

from __future__ import annotations

from collections.abc import Sequence

from bench.hashing.measure import Cost, Held

INTRODUCTION = """\
# Consistent hashing compared

Written by `python -m bench.hashing`. Times are processor times of one process, in pure Python \
with xxh3; compare them with each other, not with those of other machines. What follows from them \
is in [the decision](../decisions/0013-sharding.md). {where}

## Algorithms

Servers of 10, 40 and 100 Gbit/s alternate; {keys:,} keys (for weighted rendezvous among 1,000 \
servers a twentieth of that, so that its deviation is mostly chance). *Look-up* includes the key's \
hash. *Deviation* and *most* are of the keys that a server has, as multiples of what its weight \
says. *Beyond its share*: which part of all keys moves when one server leaves, less that server's \
share.

AnchorHash is told which server has left, and all processes would have to be told the same in the \
same order; the others know nothing but the servers that are there.
"""

PLACEMENT = """\
## The placement

What `headrace.topology.placement` does with it: a ring with points by a server's own capacity, \
bounded loads for its arcs and for heavy shards, widening. Demand by Zipf {skew}, {keys:,} shards, \
each of which is one of the keys above; the view has those that draw at least 1 % of the smallest \
server's fair share.

*Busiest* is the demand of the busiest server as a multiple of its fair share: when nothing is \
known of the demand, when the view has it, and with one server failed as well. *Beyond its share* \
is what moves when one server leaves the description, of shards and of demand, less its share.
"""

TIMES = """\
What it costs. *First* is the mean of one look-up for each shard, most of which are in an arc that \
was not asked for before; *known* is the mean when all arcs were. Both include the shard's hash.
"""


def report(costs: Sequence[Cost], held: Sequence[Held], keys: int, skew: float, where: str) -> str:
    """Return the page. `where` says what the machine is, and the date."""
    sections = [INTRODUCTION.format(keys=keys, where=where)]
    for count in sorted({cost.servers for cost in costs}):
        rows = [_cost(cost) for cost in costs if cost.servers == count]
        head = ["algorithm", "build", "memory", "look-up", "deviation", "most", "beyond its share"]
        sections.append(f"### {count:,} servers\n\n" + _table(head, rows))
    sections.append(PLACEMENT.format(keys=keys, skew=skew))
    head = [
        "servers", "Gbit/s", "heavy shards", "busiest, unknown", "known", "one failed",
        "shards beyond its share", "demand",
    ]  # fmt: skip
    sections.append(_table(head, [_balance(one) for one in held]))
    sections.append(TIMES)
    head = [
        "servers",
        "Gbit/s",
        "ring",
        "heavy shards",
        "a state changes",
        "memory",
        "first",
        "known",
    ]
    sections.append(_table(head, [_times(one) for one in held]))
    return "\n".join(sections)


def _cost(cost: Cost) -> list[str]:
    return [
        cost.name, f"{cost.build_s * 1e3:,.1f} ms", _bytes(cost.memory_bytes),
        f"{cost.find_us:.2f} µs", f"{cost.deviation:.3f}", f"{cost.most:.2f}",
        f"{cost.excess:+.1%}",
    ]  # fmt: skip


def _balance(one: Held) -> list[str]:
    return [
        f"{one.servers:,}", one.mix, f"{one.heavy:,}", f"{one.ring_most:.2f}", f"{one.most:.2f}",
        f"{one.failed_most:.2f}", f"{one.moved_excess:+.1%}", f"{one.demand_excess:+.1%}",
    ]  # fmt: skip


def _times(one: Held) -> list[str]:
    return [
        f"{one.servers:,}", one.mix, f"{one.ring_s * 1e3:,.0f} ms", f"{one.heavy_s * 1e3:,.0f} ms",
        f"{one.state_s * 1e3:,.1f} ms", _bytes(one.memory_bytes), f"{one.first_us:.2f} µs",
        f"{one.known_us:.2f} µs",
    ]  # fmt: skip


def _bytes(count: int) -> str:
    return f"{count / 1e6:,.2f} MB"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
