"""The one interface that every speaker has, whatever program is behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from headrace.bgp.announcement import Announcement
from headrace.bgp.events import DropReason, SessionKey
from headrace.bgp.session import Session


class Speaker(Protocol):
    """A BGP speaker: told what is to be announced as a whole, it works out what changes.

    It is made with its sessions and a `Listener`, to which it reports from `start` until `close`
    returned. Whatever dies behind it, it starts again, and announces what was set last.
    """

    async def load(self) -> None:
        """Do what of a start takes long and nobody notices, if there is such. Raises BgpError."""

    async def start(self) -> None:
        """Start the program, or find it, and return; sessions come up later. Raises BgpError."""

    def set(self, announcements: frozenset[Announcement]) -> None:
        """Announce these from now on and nothing else. Returns at once. Raises ValueError.

        Sets that follow each other quickly may be joined: the last one counts. A speaker that was
        made with a lease withdraws everything when no set follows within that time.
        """

    def change(self, sessions: tuple[Session, ...], passwords: Mapping[SessionKey, str]) -> None:
        """Speak with these routers from now on. Returns at once.

        Sessions that are as before are not disturbed; one that differs is made again. When it is
        done `RoutersChanged` is reported; or `Refused`, and then everything is as it was.
        """

    def dropped(self) -> Mapping[DropReason, int]:
        """Return how much of what routers announced was not taken so far, by reason."""

    async def close(self, *, graceful: bool) -> None:
        """End the sessions and the program, in bounded time.

        Gracefully: routers that were promised a graceful restart keep the routes for its time.
        Otherwise everything is withdrawn and the routers are told.
        """
