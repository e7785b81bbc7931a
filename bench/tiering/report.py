"""Writes what was measured: a page for people, and JSON for whoever compares with it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bench.tiering.trace import Arrangement, Scale


@dataclass(frozen=True, slots=True)
class Row:
    """One arrangement: requests after the warm-up, those that the first server had itself, those
    that came to the origin, those for what nobody had asked before, and answers that were not
    right.
    """

    arrangement: Arrangement
    requests: int
    hits: int
    at_origin: int
    first_asked: int
    wrong: int

    @property
    def origin_share(self) -> float:
        """Return the share of requests that came to the origin."""
        return self.at_origin / max(1, self.requests)

    def line(self) -> str:
        """Return the row in one line."""
        return (
            f"{self.arrangement.value}: {self.at_origin:,} of {self.requests:,} requests at the "
            f"origin ({100 * self.origin_share:.1f} %)"
        )


def as_page(rows: list[Row], scale: Scale, seed: int) -> str:
    """Return the page."""
    neither = next(row for row in rows if row.arrangement is Arrangement.NEITHER)
    table = "\n".join(
        f"| {row.arrangement.value} | {100 * row.hits / row.requests:.1f} % | {row.at_origin:,} "
        f"| {100 * row.origin_share:.1f} % | {row.at_origin / max(1, neither.at_origin):.2f} |"
        for row in rows
    )
    return f"""\
# What sharding and tiering save the origin

Written by `python -m bench.tiering`. Seed {seed}; four real edges in one site, one worker each;
{scale.objects:,} objects of {scale.body_bytes:,} bytes, Zipf {scale.alpha:g}; each store holds a
quarter of the catalogue. {scale.warm_up:,} requests fill the stores, the next
{scale.requests - scale.warm_up:,} are counted. The class is stored as `own`: one copy in the site.
Servers wait for each other rather than hedge, so that the load of this machine changes nothing.

| arrangement | in the first server's store | requests at the origin | of all | ratio to neither |
|---|--:|--:|--:|--:|
{table}

Of the requests that are counted, {rows[0].first_asked:,} ask for what nobody had asked for before.
That is {100 * rows[0].first_asked / max(1, rows[0].requests):.1f} %, and comes to the origin in any
arrangement.

**Neither**: clients come to any server, and each asks the origin. **Consistent routing**: a router
sends each client to the owner of what it wants, but {100 * scale.astray:.0f} % of requests come to
another server all the same: players that stay where they are, names that are remembered, owners
that are full. **Tiering**: a server asks the owner before it asks the origin.

Every body was compared. The same figures are in `tiering.json`.
"""


def as_json(rows: list[Row], scale: Scale, seed: int) -> str:
    """Return the figures, with all that they follow from."""
    found = {
        "seed": seed,
        "scale": asdict(scale),
        "rows": [
            {
                "arrangement": row.arrangement.value,
                "requests": row.requests,
                "hits": row.hits,
                "at_origin": row.at_origin,
                "first_asked": row.first_asked,
            }
            for row in rows
        ],
    }
    return json.dumps(found, indent=2) + "\n"
