"""In which order a player is to try its pathways. Pure.

A pathway is a server, or a site where the manifest names sites. The order is the routing's, with
two exceptions by what the player says:

- It stays where it is while that is good: no player moves for a server that is only as good.
- A site that brings less than the player needs comes after the others. Where all of them do, the
  player's own connection is the reason, and the routing's order holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from headrace.router.steering.report import PATHWAY_ID, Report

MOST_SLOW = 4
"""So many slow sites are remembered for a player."""


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate of the decision, as a pathway. `site` is the candidate's; `order` is its site's
    in the coverage. `spare`: it takes no new clients. `host` makes a pathway that the manifest
    does not name ("": it names it).
    """

    pathway: str
    site: str
    order: int = 1
    spare: bool = False
    host: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the answer before said, which the player brings back: its first pathway, and the sites
    that were found slow.
    """

    told: str = ""
    slow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The pathways in order, and what is to be known next time."""

    options: tuple[Option, ...]
    known: Known


def present_pathway(report: Report, known: Known) -> str:
    """Return where a player is: what it says if that is one, else what it was told last; "" if it
    is not known.
    """
    if len(report.pathways) == 1:
        return report.pathways[0]
    if known.told in report.pathways:
        return known.told
    return ""


def choose(
    options: Collection[Option],
    report: Report,
    known: Known,
    sites: Mapping[str, str],
    *,
    needed_bps: float,
    keep: bool,
) -> Choice:
    """Return the order for a player. `sites` are the sites of pathways, by pathway."""
    present = present_pathway(report, known)
    slow = _slow_sites(report, known, sites, needed_bps)
    others = {option.site for option in options if not option.spare} - set(slow)
    avoided = frozenset(slow) if others else frozenset()
    ordered = sorted(options, key=lambda option: (option.spare, option.site in avoided))
    if avoided and present:
        # In a slow site, the server that was slow comes last.
        ordered.sort(key=lambda option: option.pathway == present and option.site in avoided)
    if keep and ordered:
        first = ordered[0]
        for option in ordered:
            if option.pathway == present and _as_good(option, first, avoided):
                ordered.remove(option)
                ordered.insert(0, option)
                break
    told = ordered[0].pathway if ordered else ""
    return Choice(tuple(ordered), Known(told, slow))


def _as_good(option: Option, first: Option, avoided: Collection[str]) -> bool:
    """Return whether a player may stay with an option though another is the first choice."""
    return not option.spare and option.site not in avoided and option.order <= first.order


def _slow_sites(
    report: Report, known: Known, sites: Mapping[str, str], needed_bps: float
) -> tuple[str, ...]:
    """Return the sites that are slow for a player, the latest last."""
    slow = dict.fromkeys(site for site in known.slow if site in sites.values())
    for pathway, bps in report.bps.items():
        site = sites.get(pathway)
        if site is None or not bps:  # nothing measured
            continue
        slow.pop(site, None)
        if bps < needed_bps:
            slow[site] = None
    return tuple(slow)[-MOST_SLOW:]


def is_pathway(name: str) -> bool:
    """Return whether a name of the network can be a pathway's."""
    return PATHWAY_ID.fullmatch(name) is not None
