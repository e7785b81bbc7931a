"""What is not as it should be with a server's VIPs, of what its process says. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headrace.vip.admin.models import NeighbourRow, SessionRow, Status, VipRow
from headrace.vip.plan.wanted import VIEW_AGE_S

_MOST_NAMED = 4
_NOT_SERVED = frozenset({"not_checked", "failed", "elsewhere"})


def complaints(found: Status) -> Iterator[str]:
    """Yield what is not as it should be, a line for each: nothing where all is well.

    What somebody wants so is no complaint.
    """
    if found.speaker_problem and found.speaker != "started":
        yield f"speaker: {found.speaker}: {found.speaker_problem}"
    if found.addresses_problem:
        yield f"addresses: {found.addresses_problem}"
    if found.handover is not None and found.handover.problem and found.handover.wanted:
        yield f"handover: {found.handover.problem}"
    if found.state_problem:
        yield (
            f"state: state_dir cannot be written ({found.state_problem}): make room, or orders are "
            "forgotten with the next restart"
        )
    if found.view_age_s is not None and found.view_age_s > VIEW_AGE_S:
        yield (
            f"feedback loop: its view is {span(found.view_age_s)} old: only orders in it count; "
            "see `headrace feedback status`, and that observers can be reached from here"
        )
    if found.edge is not None and found.edge.problem:
        yield f"edge: {found.edge.problem}"
    for session in found.sessions:
        if not session.up:
            why = "; ".join(one for one in (session.reason, session.detail, session.remedy) if one)
            yield f"session {session.router}: down for {span(session.for_s)}: {why or 'no answer'}"
        yield from _bfd_complaint(session)
    yield from _of_vips(found)
    if found.coverage_waiting:
        yield (
            f"coverage: changes that wait for approval: {found.coverage_waiting}; see "
            "`headrace vip coverage diff`"
        )
    if found.coverage_alarms:
        yield (
            f"coverage: sets that are not taken, for too much is announced: {found.coverage_alarms}"
            "; see `headrace vip coverage show`"
        )
    for one in found.neighbours:
        # One whose edge fails says so itself.
        if one.problem and one.soundness == "unknown" and not is_unasked(one):
            yield f"neighbour {one.server}: not known what it announces: {one.problem}"


def _bfd_complaint(session: SessionRow) -> Iterator[str]:
    bfd = session.bfd
    # Where BGP is down too, that is what is wrong.
    if bfd is None or bfd.up is not False or not session.up:
        return
    why = "; ".join(one for one in (bfd.detail, bfd.remedy) if one)
    yield (
        f"session {session.router}: BFD down for {span(bfd.for_s)}, only the hold time counts: "
        f"{why or 'no answer'}"
    )


def _of_vips(found: Status) -> Iterator[str]:
    """Yield a line for all VIPs with which the same is wrong; and of those that nothing leads to
    from here, whether somebody else has them.
    """
    alike: dict[tuple[str, str, str], list[VipRow]] = {}
    for one in found.vips:
        if _is_wrong(found, one):
            alike.setdefault((one.standing, one.meaning, one.note), []).append(one)
    for (standing, meaning, note), rows in alike.items():
        words = f" ({note})" if note else ""
        elsewhere = _elsewhere(found, rows) if standing == "out" else ""
        yield f"{named([one.vip for one in rows])}: {standing}: {meaning}{words}{elsewhere}"


def _is_wrong(found: Status, one: VipRow) -> bool:
    if one.rank:
        return one.standing == "out" and one.why in _NOT_SERVED
    wished = found.wanted != "online" and one.why in ("withdrawn", "forced", "drains", "lingers")
    return one.standing != "serving" and not wished


def _elsewhere(found: Status, rows: Sequence[VipRow]) -> str:
    others = {vip: one.server for one in found.neighbours for vip in one.announces}
    # One that drains announces it for want of others, and serves it.
    others |= {one.vip: one.holder for one in rows if one.holder not in ("", found.server)}
    alone = [one.vip for one in rows if one.vip not in others]
    it = "it" if len(rows) == 1 else "them"
    if not found.neighbours:
        return ""
    if alone and any(is_unasked(one) for one in found.neighbours):
        return "; not known yet who else announces " + it
    if not alone:
        return f"; announced by {' and '.join(sorted({others[one.vip] for one in rows}))}"
    them = it if len(alone) == len(rows) else named(alone)
    return f"; nobody else is known to announce {them}"


def is_unasked(one: NeighbourRow) -> bool:
    """Return whether a neighbour was not asked yet."""
    return one.soundness == "unknown" and one.age_s == 0.0


def named(vips: Sequence[str]) -> str:
    """Return VIPs in words: not more than a line takes."""
    if len(vips) == 1:
        return f"VIP {vips[0]}"
    more = f" and {len(vips) - _MOST_NAMED} more" if len(vips) > _MOST_NAMED else ""
    return f"VIPs {', '.join(vips[:_MOST_NAMED])}{more}"


def span(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 120:
        return f"{seconds:.0f}s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}m"
    return f"{seconds / 3600:.0f}h"
