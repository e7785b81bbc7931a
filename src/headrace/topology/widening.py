"""On how many servers popular shards are held: widened by demand, narrowed with hysteresis. Pure.

Widths and demand are the network's, by the name of a class and the key of a shard. They are meant
for the site with most servers; a smaller site holds a shard on proportionately fewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headrace.topology.model import ContentClass, Widening

Demand = Mapping[str, Mapping[str, float]]
Widths = Mapping[str, Mapping[str, int]]


def widen(
    widths: Widths, demand: Demand, classes: Iterable[ContentClass], servers: int
) -> dict[str, dict[str, int]]:
    """Return the widths that follow from widths and the demand that is measured now.

    `servers` is how many the largest site has. Whoever writes the view calls this each time it
    has measured. A shard becomes as wide as it must at once, and narrower by one step a call. What
    is no wider than its class's replicas is left out.
    """
    found: dict[str, dict[str, int]] = {}
    for content in classes:
        if content.widening is None:
            continue
        known, shares = widths.get(content.name, {}), demand.get(content.name, {})
        wide = {
            shard: width
            for shard in sorted(known.keys() | shares.keys())
            if (
                width := _next_width(
                    known.get(shard, content.replicas), shares.get(shard, 0.0), content, servers
                )
            )
            > content.replicas
        }
        if wide:
            found[content.name] = wide
    return found


def _next_width(width: int, share: float, content: ContentClass, servers: int) -> int:
    rules = content.widening or Widening()
    most = most_width(content, servers)
    width = min(max(width, content.replicas), most)
    while width < most and share * servers > rules.above * width:
        width = min(width * 2, most)
    narrower = _narrower(width, content.replicas)
    # Not so narrow that it would be widened again at once, whatever the rules say.
    if share * servers < rules.below * width and share * servers <= rules.above * narrower:
        return narrower
    return width


def _narrower(width: int, replicas: int) -> int:
    """Return the next smaller width: `replicas` × a power of two."""
    step = replicas
    while step * 2 < width:
        step *= 2
    return min(step, width)


def most_width(content: ContentClass, servers: int) -> int:
    """Return how wide a shard of a class may be in a site with so many servers."""
    most = servers if content.widening is None else content.widening.most or servers
    return max(min(most, servers), min(content.replicas, servers))


def usual_width(content: ContentClass, share: float, servers: int) -> int:
    """Return the width that a shard comes to when its demand rises to this share."""
    if content.widening is None:
        return min(content.replicas, servers)
    most, width = most_width(content, servers), min(content.replicas, servers)
    while width < most and share * servers > content.widening.above * width:
        width = min(width * 2, most)
    return width


def widest(content: ContentClass, share: float, servers: int) -> int:
    """Return the width that a shard keeps at most when its demand falls to this share."""
    width = usual_width(content, share, servers)
    if content.widening is None:
        return width
    most = most_width(content, servers)
    while width < most and share * servers >= content.widening.below * min(width * 2, most):
        width = min(width * 2, most)
    return width


def width_in_site(width: int, servers: int, largest: int) -> int:
    """Return a width of the site with most servers (`largest`) for a site with fewer."""
    return max(1, min(-(-width * servers // max(largest, 1)), servers))
