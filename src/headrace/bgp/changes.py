"""What must be said so that a speaker comes from what it was told to what it should say. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from headrace.bgp.announcement import Announcement, Family, IPNetwork, by_prefix

Change = tuple[IPNetwork, Announcement | None]
"""A prefix with its announcement, or with None to withdraw it."""


def changes(
    told: Mapping[IPNetwork, Announcement], desired: Mapping[IPNetwork, Announcement]
) -> Iterator[Change]:
    """Yield what differs.

    Announcements come before withdrawals: a prefix that takes over from another is there before
    that one goes.
    """
    for prefix, announcement in desired.items():
        if told.get(prefix) != announcement:
            yield prefix, announcement
    for prefix in told:
        if prefix not in desired:
            yield prefix, None


class Desired:
    """What a speaker is to announce, was told, and is still to be told."""

    def __init__(self) -> None:
        self.desired: dict[IPNetwork, Announcement] = {}
        self.told: dict[IPNetwork, Announcement] = {}
        self._waiting: dict[IPNetwork, Announcement | None] = {}

    def set(self, announcements: Iterable[Announcement]) -> None:
        """Replace what is desired. What was refused is tried once more when anything else changes.

        Raises ValueError.
        """
        desired = by_prefix(announcements)
        if desired == self.desired:
            return
        self.desired = desired
        self._waiting = dict(changes(self.told, self.desired))

    def take_change(self) -> Change | None:
        """Return the next change, which counts as told from now on, or None."""
        for prefix in self._waiting:
            announcement = self._waiting.pop(prefix)
            if announcement is None:
                self.told.pop(prefix, None)
            else:
                self.told[prefix] = announcement
            return prefix, announcement
        return None

    def keep(self, families: Collection[Family]) -> None:
        """Know nothing of prefixes of other families: nobody is left who could be told of them."""
        for known in (self.desired, self.told, self._waiting):
            for prefix in [one for one in known if Family(one.version) not in families]:
                del known[prefix]

    def refused(self, prefix: IPNetwork, announcement: Announcement | None) -> None:
        """Note that an announcement was not made."""
        if announcement is not None and self.told.get(prefix) == announcement:
            del self.told[prefix]

    def started(self) -> list[Announcement]:
        """Return what a speaker that starts is told at once."""
        self.told = dict(self.desired)
        self._waiting = {}
        return list(self.desired.values())
