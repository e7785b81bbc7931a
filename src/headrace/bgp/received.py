"""What routers announce, filtered and bounded. Pure: what changes comes back as events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from headrace.bgp.announcement import IPNetwork
from headrace.bgp.events import (
    Attributes,
    Dropped,
    DropReason,
    Lost,
    Received,
    SessionKey,
    SpeakerEvent,
)
from headrace.bgp.session import Intake, Session

PART = 500

REMEDIES = {
    DropReason.TOO_MANY: "limit what the router announces, or raise the most that is received",
    DropReason.DEFAULT_ROUTE: "take the default route out of the router's export filter",
    DropReason.OWN: "let the router not announce back what it learnt from this site",
    DropReason.TOO_LONG: "let the router announce shorter prefixes, or raise the longest taken",
    DropReason.TOO_SHORT: "let the router announce longer prefixes, or lower the shortest taken",
    DropReason.NOT_ALLOWED: "name the prefix among those allowed, or take it out of the export",
    DropReason.NOT_GLOBAL: "allow private prefixes, if this network has clients there",
    DropReason.WRONG_FAMILY: "configure one session for each family on the router",
    DropReason.UNREADABLE: "see what the router sends: its attributes are not understood",
}


class ReceivedRoutes:
    """The prefixes of every session, at most `most` each. What is dropped is counted, and reported
    once for each reason until its session ends.
    """

    def __init__(self, sessions: Collection[Session]) -> None:
        self._intakes: dict[SessionKey, Intake] = {one.key: one.intake for one in sessions}
        self._held: dict[SessionKey, dict[IPNetwork, Attributes]] = {
            one.key: {} for one in sessions
        }
        self._reported: set[tuple[SessionKey, DropReason]] = set()
        self.dropped: dict[DropReason, int] = dict.fromkeys(DropReason, 0)

    def change(self, sessions: Collection[Session]) -> None:
        """Take what these announce from now on, each within its bounds; what was taken before stays
        for as long as its session.
        """
        self._intakes = {one.key: one.intake for one in sessions}
        self._held = {key: self._held.get(key, {}) for key in self._intakes}

    def held(self, session: SessionKey) -> Mapping[IPNetwork, Attributes]:
        """Return what that router announces, as far as it is taken."""
        return self._held[session]

    def announced(
        self,
        session: SessionKey,
        prefix: IPNetwork,
        attributes: Attributes,
        own: Collection[IPNetwork],
    ) -> Iterator[SpeakerEvent]:
        """Take a prefix, or say why not; `own` is what this server announces itself."""
        held = self._held[session]
        if held.get(prefix) == attributes and prefix not in own:
            return  # it was judged before
        reason: DropReason | None = DropReason.TOO_MANY
        # First, for it costs little: most of a flood ends here.
        if prefix in held or len(held) < self._intakes[session].most:
            reason = refusal(self._intakes[session], session, prefix, own)
        if reason is not None:
            told = (session, reason) in self._reported  # then nobody reads what it was
            yield from self.drop(session, reason, "" if told else str(prefix))
            if held.pop(prefix, None) is not None:
                yield Lost(session, prefix)
        elif held.get(prefix) != attributes:
            held[prefix] = attributes
            yield Received(session, prefix, attributes)

    def withdrawn(self, session: SessionKey, prefix: IPNetwork) -> Iterator[SpeakerEvent]:
        """Forget a prefix."""
        if self._held[session].pop(prefix, None) is not None:
            yield Lost(session, prefix)

    def replaced(
        self,
        session: SessionKey,
        routes: Mapping[IPNetwork, Attributes],
        own: Collection[IPNetwork],
    ) -> Iterator[list[SpeakerEvent]]:
        """Take everything that a router announces now, and forget what is no longer there.

        It comes in parts of so many prefixes: how many there are is the router's choice, and
        between two of them whoever has more to do may do it.
        """
        gone = iter([known for known in self._held[session] if known not in routes])
        while part := list(islice(gone, PART)):
            yield [event for prefix in part for event in self.withdrawn(session, prefix)]
        there = iter(routes.items())
        while each := list(islice(there, PART)):
            yield [
                event
                for prefix, attributes in each
                for event in self.announced(session, prefix, attributes, own)
            ]

    def ended(self, session: SessionKey) -> Iterator[SpeakerEvent]:
        """Forget all that a router announced: its session ended."""
        for prefix in list(self._held[session]):
            yield from self.withdrawn(session, prefix)
        self._reported -= {(session, reason) for reason in DropReason}

    def drop(self, session: SessionKey, reason: DropReason, detail: str) -> Iterator[SpeakerEvent]:
        """Count what is not taken, and report the first of its kind."""
        self.dropped[reason] += 1
        if (session, reason) not in self._reported:
            self._reported.add((session, reason))
            yield Dropped(session, reason, detail, REMEDIES[reason])


def refusal(
    intake: Intake, session: SessionKey, prefix: IPNetwork, own: Collection[IPNetwork]
) -> DropReason | None:
    """Return why a prefix is not taken, or None. The number of prefixes is another matter."""
    v4 = prefix.version == 4
    if prefix.version != session.family.value:
        return DropReason.WRONG_FAMILY
    if prefix.prefixlen == 0:
        return DropReason.DEFAULT_ROUTE
    if prefix in own:
        return DropReason.OWN
    if prefix.prefixlen < (intake.shortest_v4 if v4 else intake.shortest_v6):
        return DropReason.TOO_SHORT
    if prefix.prefixlen > (intake.longest_v4 if v4 else intake.longest_v6):
        return DropReason.TOO_LONG
    if intake.within and not any(_inside(prefix, one) for one in intake.within):
        return DropReason.NOT_ALLOWED
    if prefix.is_multicast or prefix.is_loopback or prefix.is_link_local or prefix.is_unspecified:
        return DropReason.NOT_GLOBAL
    if prefix.is_private and not intake.private:
        return DropReason.NOT_GLOBAL
    return None


def _inside(prefix: IPNetwork, outer: IPNetwork) -> bool:
    return (
        prefix.version == outer.version
        and prefix.prefixlen >= outer.prefixlen
        and prefix.network_address in outer
    )
