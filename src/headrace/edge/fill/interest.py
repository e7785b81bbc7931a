"""Who waits for a fill, here or in another worker, and what it may still do when no one does.

A fill that no one waits for any more lives within what its client's network may leave behind: a
number of fills, and bytes. Beyond that it is broken off.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from headrace.edge.fill.environment import FillEnvironment
from headrace.errors import HeadraceError
from headrace.store import Part, locks

STILL_FOLLOWED_S = 1.0
MOST_FOLLOWED = 16


class Abandoned(HeadraceError):
    """Nobody waits for the fill, and its network has nothing left to continue with."""


def _nothing() -> None:
    return None


class Interest:
    """Counts who is interested in one fill.

    `writing` is the part that it writes now, `abandon` breaks it off; `counted` tells that it is
    charged to its network as one that no one waits for.
    """

    def __init__(
        self,
        environment: FillEnvironment,
        network: str,
        *,
        writing: Callable[[], Part | None],
        abandon: Callable[[], None],
        counted: bool,
    ) -> None:
        self._environment = environment
        self._network = network
        self._writing = writing
        self._abandon = abandon
        self._counted = self._unwatched = counted
        self._looking = self._over = False
        self._followed_fds: list[int] = []  # of complete slices that other workers followed
        self.count = 0

    def hold(self) -> None:
        """Add one who is interested. Each needs its `release`."""
        self.count += 1
        self._unwatched = False
        self._uncount()

    def release(self) -> None:
        """Remove one who was interested."""
        self.count -= 1
        if not self.count and not self._over:
            self._nobody_waits()

    def pay(self, size_bytes: int) -> None:
        """Charge bytes that no one waits for to the network that asked for them.

        Raises Abandoned when it has no more.
        """
        environment = self._environment
        if (
            self._unwatched
            and not environment.unwatched_bytes.spend(
                self._network, size_bytes, environment.loop.time()
            )
            and not self.is_followed_elsewhere()
        ):
            raise Abandoned("no one waits for this, and its network's allowance is spent")

    def is_followed_elsewhere(self) -> bool:
        """Return whether another worker follows what is written here, or what was written before.

        A request there follows the slice that it met until it has all that it wants, so one that
        lags behind is seen by a slice that is complete.
        """
        part = self._writing()
        if part is not None and part.is_followed():
            return True
        while self._followed_fds:
            if locks.is_followed(self._followed_fds[-1]):
                return True
            os.close(self._followed_fds.pop())
        return False

    def note_followers(self, part: Part | None) -> None:
        """Keep an eye on those who follow a slice that is complete now."""
        if part is not None and len(self._followed_fds) < MOST_FOLLOWED and part.is_followed():
            with contextlib.suppress(OSError):  # no descriptor is left: they may be cut off
                self._followed_fds.append(os.dup(part.fd))
                part.is_shared = True

    def end(self) -> None:
        """Give back what is charged and open. Idempotent."""
        self._over = True
        # Else this and the fill would hold each other, and with it the slices' files.
        self._writing, self._abandon = _nothing, _nothing
        while self._followed_fds:
            os.close(self._followed_fds.pop())
        self._uncount()

    def _nobody_waits(self) -> None:
        """Continue only as long as the network of the client that began this has room for it."""
        self._unwatched = True
        if self._environment.unwatched.take(self._network):
            self._counted = True
        elif self.is_followed_elsewhere():
            if not self._looking:
                self._looking = True
                self._environment.loop.call_later(STILL_FOLLOWED_S, self._still_followed)
        else:
            self._abandon()

    def _still_followed(self) -> None:
        """Check whether it is still another worker's clients that this continues for."""
        self._looking = False
        if self._unwatched and not self._counted and not self._over:
            self._nobody_waits()

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self._environment.unwatched.give(self._network)
