"""Which list of observers counts, where observers have different ones. Pure.

Each observer names a digest of its list in what it tells and in what it asks. The list that most
have is right; whoever has another one stands back: it decides nothing, and follows one that decides
by the right list, if it hears any. All count the same, so one list wins. While a list is changed at
one observer after the other, those of the old list decide until most have the new one.

Whoever asks may be anybody that knows the secret, as each node does, under any name. So those that
only ask have one vote for each network that they ask from (`Askers`), and do not outvote as many
that are heard. What an observer says that it hears counts only for those that stand behind it in
the list: one that tells untruths cannot silence those before it.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from headrace.http.client_network import network_of

MOST_ASKERS: Final = 64
ASKS_WITHIN_S: Final = 10.0
MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Listed:
    """An observer's list, as a digest ("": it does not say), and whom it hears."""

    digest: str
    hears: Collection[str] = ()


def list_digest(names: Sequence[str]) -> str:
    """Return what stands for a list of observers, in its order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


class Askers:
    """Who has asked lately, and by which list: one for each network (an address, or an IPv6 /64)
    but this machine, where observers are only tried out.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Listed, float]] = {}

    def note(self, name: str, digest: str, address: str, now: float) -> None:
        """Note that an observer has asked; of several in one network, the first by name."""
        network = network_of(address)
        place = f"{network} {name}" if _is_this_machine(network) else network
        before = self._known.pop(place, None)
        if before is not None and before[0] < name and now - before[2] < ASKS_WITHIN_S:
            self._known[place] = before
            return
        if len(self._known) >= MOST_ASKERS:
            del self._known[next(iter(self._known))]
        self._known[place] = (name, Listed(digest), now)

    def since(self, moment: float) -> dict[str, Listed]:
        """Return who has asked since then, with their lists."""
        return {name: one for name, one, at in self._known.values() if at >= moment}


def by_list(
    own: str, lists: Mapping[str, Listed], order: Sequence[str] = ()
) -> dict[str, set[str]]:
    """Return by list who has it; `lists` are those that are known, the own one among them, and
    `order` is the own one.

    Whoever is known only from what another hears is taken to have that one's list, if that one
    stands before this observer.
    """
    found: dict[str, set[str]] = {}
    for name, one in lists.items():
        if one.digest:
            found.setdefault(one.digest, set()).add(name)
    before = set(order[: order.index(own)]) if own in order else set(lists)
    for name, one in lists.items():
        if one.digest and name in before:
            found[one.digest].update(heard for heard in one.hears if heard not in lists)
    return found


def right_list(
    found: Mapping[str, Collection[str]],
    own: str = "",
    heard: Collection[str] = (),
    askers: Collection[str] = (),
) -> str:
    """Return the list that counts; of those that as many have, any, but the same for all.

    Where another has as many as the own one (whose digest is `own`), the own one counts before one
    of which nobody is heard, and after one of which nobody asks: those do not have this observer
    in their list, so they cannot know better.
    """

    def rank(digest: str) -> tuple[int, int, str]:
        names = found[digest]
        place = 0
        if own and digest != own:
            if not any(name in heard for name in names):
                place = -1
            elif not any(name in askers for name in names):
                place = 1
        return len(names), place, digest

    return max(found, key=rank)


def told(
    own: str,
    found: Mapping[str, Collection[str]],
    lists: Mapping[str, Listed],
    *,
    stands_back: bool,
) -> str:
    """Return what is wrong, for people; "" for nothing."""
    if len(found) < 2:
        return ""
    mine = lists[own].digest
    others = sorted(name for digest, names in found.items() if digest != mine for name in names)
    named = ", ".join(others[:MOST_NAMED])
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    back = ": this one stands back, since theirs counts" if stands_back else ""
    return f"{named}{more} have another list of [[observer]] tables than {own}{back}"


def _is_this_machine(network: str) -> bool:
    try:
        return ipaddress.ip_address(network).is_loopback
    except ValueError:
        return True  # a socket of this machine
