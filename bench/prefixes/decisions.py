"""What a decision takes, known and new: `python -m bench.prefixes.decisions` prints it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from headrace.routing.decide import Routing
from headrace.routing.question import Question
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import (
    ContentClass,
    Coverage,
    Server,
    Site,
    SiteChoice,
    SiteKind,
    Topology,
)
from headrace.topology.placement import Placement
from headrace.topology.prefix_set import PrefixSet

SITES, SERVERS, COVERAGE = 20, 10, 200
QUESTIONS, SHARDS = 20_000, 100_000
FIRST = 16 << 24  # of the clients' addresses; each coverage has a /16
CONTENT = ContentClass("vod", ("vod.example",))


def network(seed: int) -> Topology:
    """Return sites of servers, and coverage of four sites each: three by weight, one behind."""
    chance = random.Random(seed)
    names = [f"site{number}" for number in range(SITES)]
    coverage = []
    for number in range(COVERAGE):
        a, b, c, d = chance.sample(names, 4)
        choices = (
            SiteChoice(a, 2.0),
            SiteChoice(b, 1.0),
            SiteChoice(c, 1.0),
            SiteChoice(d, 1.0, 2),
        )
        address = FIRST + (number << 16)
        prefixes = PrefixSet.of(
            [f"{address >> 24}.{address >> 16 & 255}.{third}.0/24" for third in range(256)]
        )
        coverage.append(Coverage(f"c{number}", choices, prefixes=prefixes))
    return Topology(
        (),
        (
            *(Site(name) for name in names),
            Site("elsewhere", SiteKind.EXTERNAL, base_url="https://cdn.example.net"),
        ),
        tuple(
            Server(f"{name}-{number}", name, f"{name}-{number}.example")
            for name in names
            for number in range(SERVERS)
        ),
        tuple(coverage),
        (CONTENT,),
    )


def microseconds(routing: Routing, questions: Sequence[Question]) -> float:
    """Return the processor time of a decision."""
    began = time.process_time()
    for question in questions:
        routing.decide(question)
    return (time.process_time() - began) / len(questions) * 1e6


def main(seed: int = 1, count: int = QUESTIONS) -> dict[str, float]:
    """Measure, print, and return what was measured."""
    chance = random.Random(seed)
    topology = network(seed)
    placement = Placement(topology)
    placement.prepare()
    coverage = CoverageTable(topology)

    def routing() -> Routing:
        return Routing(topology, placement, coverage)

    def clients() -> list[bytes]:
        return [(FIRST + chance.randrange(COVERAGE << 16)).to_bytes(4, "big") for _ in range(count)]

    def asked(who: Sequence[bytes], what: Sequence[bytes]) -> list[Question]:
        return [
            Question(client, CONTENT, shard, sites=1)
            for client, shard in zip(who, what, strict=True)
        ]

    one = [b"/show/0"] * count
    shards = [b"/show/%d" % number for number in chance.sample(range(SHARDS), count)]
    made = routing()
    who = clients()
    found = {"new client, known shard": microseconds(made, asked(who, one))}
    found["known client and shard"] = microseconds(made, asked(who, one))
    found["known client, new shard"] = microseconds(made, asked(who, shards))
    found["new client and shard"] = microseconds(routing(), asked(clients(), shards))
    found["new client, no shard"] = microseconds(routing(), asked(clients(), [b""] * count))
    print(f"{SITES} sites of {SERVERS} servers, {COVERAGE} coverage entries, {count:,} questions")
    for name, spent_us in found.items():
        print(f"{name:26}{spent_us:6.1f} µs")
    return found


if __name__ == "__main__":
    main()
