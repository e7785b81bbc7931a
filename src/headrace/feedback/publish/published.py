"""A view as it is published: its document, and its place in the order of all views. Pure.

Of two views the later made counts, and of those made at the same time the higher version; nodes
take no other. So what is published next is later than whatever was published or seen, also by a
process whose clock is behind the others'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from headrace.node.network.signed import digest_of
from headrace.topology.view import View
from headrace.topology.view_codec import AHEAD_S, LARGEST_VERSION, decode_view, encode_view

LATER_S: Final = 0.001
OTHERS_AHEAD_S: Final = AHEAD_S / 2
"""By how much the clocks of observers may differ. Who follows the order of one that is ahead by all
that nodes allow makes views that nodes with slower clocks refuse."""

Order = tuple[float, int]
"""When a view was made, and its version."""

_ORDER = re.compile(rb"([0-9]{1,20}(?:\.[0-9]{1,20})?),([0-9]{1,20})")
BEFORE_ALL: Final[Order] = (0.0, 0)


@dataclass(frozen=True, slots=True)
class Published:
    """A view, its document, and what stands for the document in signatures."""

    view: View
    data: bytes
    digest: bytes

    @classmethod
    def of(cls, view: View) -> Published:
        """Return a view with its document. Raises ViewError for one that no node would take."""
        data = encode_view(view)
        return cls(view, data, digest_of(data))

    @classmethod
    def read(cls, data: bytes) -> Published:
        """Return the view that a document says. Raises ViewError."""
        return cls(decode_view(data), data, digest_of(data))

    @property
    def order(self) -> Order:
        """Its place among all views."""
        return self.view.made_at, self.view.version

    def says_the_same(self, view: View) -> bool:
        """Return whether a view differs from it in nothing but its number and time."""
        return replace(view, version=self.view.version, made_at=self.view.made_at) == self.view


def next_order(last: Order, now: float) -> Order:
    """Return the place of a view that is made now, behind `last`."""
    made_at, version = last
    return max(now, made_at + LATER_S), min(version + 1, LARGEST_VERSION)


def believable(order: Order, now: float, ahead_s: float = AHEAD_S) -> bool:
    """Return whether a view may be followed by ours: one from the future, by a clock that is
    wrong, would make ours be refused too.
    """
    return order[0] <= now + ahead_s


def order_of(text: bytes) -> Order | None:
    """Return the place that a question names, `made_at,version`; None for no place."""
    found = _ORDER.fullmatch(text)
    return None if found is None else (float(found[1]), int(found[2]))
