"""What must be said so that a speaker comes from what it was told to what it should say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headrace.bgp.announcement import Announcement, IPNetwork, by_prefix


def next_changes(
    desired: Mapping[IPNetwork, Announcement],
    told: Mapping[IPNetwork, Announcement],
    refused: Mapping[IPNetwork, Announcement | None],
) -> Iterable[tuple[IPNetwork, Announcement | None]]:
    """Yield each prefix with its announcement, or with None to withdraw it.

    Announcements come before withdrawals: a prefix that takes over from another is there before
    that one goes. What was refused is not said a second time.
    """
    for prefix, announcement in desired.items():
        if told.get(prefix) != announcement and refused.get(prefix, ...) != announcement:
            yield prefix, announcement
    for prefix in told:
        if prefix not in desired and refused.get(prefix, ...) is not None:
            yield prefix, None


class Desired:
    """What a speaker is to announce, was told, and refused."""

    def __init__(self) -> None:
        self.desired: dict[IPNetwork, Announcement] = {}
        self.told: dict[IPNetwork, Announcement] = {}
        self._refused: dict[IPNetwork, Announcement | None] = {}

    def set(self, announcements: Iterable[Announcement]) -> None:
        """Replace what is desired; what was refused is tried once more. Raises ValueError."""
        self.desired = by_prefix(announcements)
        self._refused = {}

    def take_change(self) -> tuple[IPNetwork, Announcement | None] | None:
        """Return the next change, which counts as told from now on, or None."""
        for prefix, announcement in next_changes(self.desired, self.told, self._refused):
            self._note(prefix, announcement)
            return prefix, announcement
        return None

    def refused(self, prefix: IPNetwork, announcement: Announcement | None) -> None:
        """Note that a change was not made, so that it is not tried again for ever."""
        self._refused[prefix] = announcement
        if announcement is not None:
            self.told.pop(prefix, None)

    def started(self) -> list[Announcement]:
        """Return what a speaker that starts is told at once."""
        self.told = dict(self.desired)
        self._refused = {}
        return list(self.desired.values())

    def _note(self, prefix: IPNetwork, announcement: Announcement | None) -> None:
        if announcement is None:
            self.told.pop(prefix, None)
        else:
            self.told[prefix] = announcement
