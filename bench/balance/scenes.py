"""The scenes: four sites of six servers of 10 Gb/s, and what happens to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from headrace.simulate.fluid import Fluid, Stream
from headrace.topology.model import ContentClass, Coverage, Server, Site, SiteChoice, Topology

SITES = 4
SERVERS = 6
GBPS = 10**9
CAPACITY_BPS = SERVERS * 10 * GBPS
FOLLOW_S = 10.0
HAPPENS_S = 100.0
UNTIL_S = 600.0


def network() -> Topology:
    """Return sites in a ring: clients of each may also be served by the next ones after it."""
    sites = tuple(Site(f"s{number}") for number in range(SITES))
    return Topology(
        (),
        sites,
        tuple(
            Server(f"{site.name}-{number}", site.name, f"{site.name}-{number}.example")
            for site in sites
            for number in range(SERVERS)
        ),
        tuple(
            Coverage(
                f"c{number}",
                tuple(
                    SiteChoice(f"s{(number + step) % SITES}", None, step + 1)
                    for step in range(SITES)
                ),
            )
            for number in range(SITES)
        ),
        (ContentClass("vod", ttl_s=FOLLOW_S),),
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """A name, what happens in a sentence, the share of its site's capacity that each site's own
    clients want at a time, and the servers that die at HAPPENS_S."""

    name: str
    title: str
    says: str
    wanted: Callable[[float], tuple[float, ...]]
    dies: frozenset[str] = field(default_factory=frozenset)

    def demand(self, now_s: float) -> Mapping[Stream, float]:
        """Return what streams want."""
        return {
            (f"c{number}", "vod"): share * CAPACITY_BPS
            for number, share in enumerate(self.wanted(now_s))
        }

    def happen(self, fluid: Fluid) -> None:
        """Let the scene play."""
        fluid.run(HAPPENS_S)
        fluid.down |= self.dies
        fluid.run(UNTIL_S)


def _step(now_s: float) -> tuple[float, ...]:
    return (0.75 * (1.3 if now_s >= HAPPENS_S else 1.0), 0.5, 0.3, 0.4)


def _evening(now_s: float) -> tuple[float, ...]:
    """Rise and fall, one site after the other, as time zones do."""
    return tuple(
        0.45 + 0.6 * math.exp(-(((now_s - peak_s) / 110.0) ** 2)) for peak_s in (150, 250, 350, 450)
    )


SCENES = (
    Scene(
        "step",
        "Demand grows by 30 % at one site",
        "The first site's clients want 75 % of what it carries, and from 100 s on 97.5 %.",
        _step,
    ),
    Scene(
        "loss",
        "A third of a site's servers die at its peak",
        "The first site is at its target of 80 %; at 100 s two of its six servers die.",
        lambda _now_s: (0.8, 0.7, 0.78, 0.5),
        frozenset({"s0-0", "s0-1"}),
    ),
    Scene(
        "evening",
        "An evening that comes to one site after the other",
        "Each site's own clients want up to 105 % of what it carries, all together at most 77 %.",
        _evening,
    ),
    Scene(
        "crowd",
        "More than there is below the targets",
        "From 100 s on all want 92 % of what the four sites carry together: more than the targets.",
        lambda now_s: (1.2, 0.9, 0.8, 0.78) if now_s >= HAPPENS_S else (0.7, 0.6, 0.6, 0.6),
    ),
)
