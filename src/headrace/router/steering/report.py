"""What a player says when it asks for steering: where it is and how fast that goes. Pure.

HLS: `_HLS_pathway` (one), `_HLS_throughput` (bits a second). DASH: `_DASH_pathway` and
`_DASH_throughput`, each one value or a list of equal length, quoted or not, in no certain order.
All of it is the word of a stranger: what is malformed is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_PATHWAYS = 32
PATHWAY_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What may stand for a pathway in HLS (rfc8216bis section 4.4.6.2), and does in DASH."""
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,15})?")


@dataclass(frozen=True, slots=True)
class Report:
    """What a player says. `pathways` are those it has used; `bps` is how fast each was, where it
    says so.
    """

    pathways: tuple[str, ...] = ()
    bps: Mapping[str, float] = field(default_factory=dict)


def read_report(parameters: Mapping[str, str]) -> Report:
    """Return what a player says in its query."""
    kind = "_DASH" if "_DASH_pathway" in parameters else "_HLS"
    names = parameters.get(f"{kind}_pathway", "").strip('"').split(",")[:MOST_PATHWAYS]
    speeds = parameters.get(f"{kind}_throughput", "").strip('"').split(",")[:MOST_PATHWAYS]
    pathways: list[str] = []
    bps: dict[str, float] = {}
    for place, name in enumerate(names):
        pathway = name.strip(' "')
        if PATHWAY_ID.fullmatch(pathway) is None or pathway in pathways:
            continue
        pathways.append(pathway)
        speed = speeds[place].strip(' "') if place < len(speeds) else ""
        if _NUMBER.fullmatch(speed):
            bps[pathway] = float(speed)
    return Report(tuple(pathways), bps)


def read_pathways(text: str, most: int = MOST_PATHWAYS) -> tuple[str, ...]:
    """Return the pathways of a list with commas, each once; what is none is passed over."""
    names = (name.strip() for name in text.split(",")[:most])
    return tuple(dict.fromkeys(name for name in names if PATHWAY_ID.fullmatch(name)))
