"""The routers that ExaBGP speaks with, and what becomes of sessions when they change. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from headrace.bgp.events import SessionKey
from headrace.bgp.session import Session


@dataclass(frozen=True, slots=True)
class Routers:
    """Whom to speak with. `refused` is why others, which these replace again, were refused."""

    sessions: tuple[Session, ...]
    passwords: Mapping[SessionKey, str] = field(default_factory=dict)
    refused: str | None = None

    @property
    def watched(self) -> tuple[Session, ...]:
        """Those to be watched by BFD."""
        return tuple(one for one in self.sessions if one.bfd)


def to_tear_down(former: Routers, now: Routers) -> Iterator[SessionKey]:
    """Yield the sessions that must be made again though ExaBGP sees no reason: of what the router
    announced before, it has kept nothing.
    """
    known = {one.key: one for one in former.sessions}
    for one in now.sessions:
        before = known.get(one.key)
        if before is None or before.intake == one.intake or not _same_to_exabgp(before, one):
            continue
        if former.passwords.get(one.key) == now.passwords.get(one.key):
            yield one.key


def _same_to_exabgp(one: Session, other: Session) -> bool:
    return other == replace(
        one,
        intake=other.intake,
        description=other.description,
        password_file=other.password_file,
        bfd=other.bfd,
        bfd_multihop=other.bfd_multihop,
    )
