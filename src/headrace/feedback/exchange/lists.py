"""Which list of observers counts, where observers have different ones. Pure.

Each observer names a digest of its list in what it tells and in what it asks. The list that most
have is right; whoever has another one stands back: it decides nothing, and follows one that decides
by the right list, if it hears any. All count the same, so one list wins. While a list is changed at
one observer after the other, those of the old list decide until most have the new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MOST_ASKERS: Final = 64
MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Listed:
    """An observer's list, as a digest ("": it does not say), and whom it hears."""

    digest: str
    hears: Collection[str] = ()


def list_digest(names: Sequence[str]) -> str:
    """Return what stands for a list of observers, in its order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def by_list(own: str, lists: Mapping[str, Listed]) -> dict[str, set[str]]:
    """Return by list who has it; `lists` are those that are known, the own one among them.

    Whoever is known only from what another hears is taken to have that one's list.
    """
    found: dict[str, set[str]] = {}
    for name, one in lists.items():
        if one.digest:
            found.setdefault(one.digest, set()).add(name)
    for name, one in lists.items():
        if one.digest and name != own:
            found[one.digest].update(heard for heard in one.hears if heard not in lists)
    return found


def right_list(found: Mapping[str, Collection[str]]) -> str:
    """Return the list that counts; of those that as many have, any, but the same for all."""
    return max(found, key=lambda digest: (len(found[digest]), digest))


def told(own: str, found: Mapping[str, Collection[str]], lists: Mapping[str, Listed]) -> str:
    """Return what is wrong, for people; "" for nothing."""
    if len(found) < 2:
        return ""
    mine = lists[own].digest
    others = sorted(name for digest, names in found.items() if digest != mine for name in names)
    named = ", ".join(others[:MOST_NAMED])
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    back = "" if right_list(found) == mine else ": this one stands back, since more have theirs"
    return f"{named}{more} have another list of [[observer]] tables than {own}{back}"
