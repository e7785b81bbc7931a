"""Which addresses to bind and which to remove. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from headrace.vip.plan.model import Address


@dataclass(frozen=True, slots=True)
class Changes:
    """What to do, and which addresses are this process's own from then on. These are written down
    before anything is done: a process that is killed meanwhile leaves no address behind that
    nobody knows of.
    """

    add: tuple[Address, ...] = ()
    remove: tuple[Address, ...] = ()
    own: frozenset[Address] = frozenset()

    @property
    def anything(self) -> bool:
        """Whether there is something to do."""
        return bool(self.add or self.remove)


def changes(
    wanted: Collection[Address], present: Collection[Address], own: Collection[Address]
) -> Changes:
    """Return how `wanted` come to be there. What is there and is not `own` is somebody else's: it
    is used, and never removed.
    """
    add = tuple(one for one in dict.fromkeys(wanted) if one not in present)
    remove = tuple(one for one in own if one in present and one not in wanted)
    kept = {one for one in own if one in present and one in wanted}
    return Changes(add, _in_order(remove), frozenset(kept | set(add)))


def _in_order(addresses: Collection[Address]) -> tuple[Address, ...]:
    return tuple(sorted(addresses, key=lambda one: (one.version, int(one))))
