"""The file with the secrets of which servers make their keys for session tickets.

One secret a line, behind the time from which it is in force:

    2026-11-26T15:00:00Z  q0tB1n9Zc2…

A line without a time is in force from the beginning. So a new secret can be on every server before
any of them uses it, and the one before stays where it is needed to open what it sealed. Time is cut
into periods; the secret of a period is the one that is in force when it begins.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from headrace.config.peer_secrets import SHORTEST_SECRET
from headrace.config.secret_file import read_secret_file

PERIOD_S: Final = 3 * 3600
"""Longer than OpenSSL lets a ticket live: two hours."""

MOST_SECRETS: Final = 16
MOST_FILE_BYTES: Final = 64 * 1024
ALWAYS: Final = float("-inf")
_TURNS = [f"{hour:02}:00" for hour in range(0, 24, PERIOD_S // 3600)]
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class TicketSecret:
    """A secret, and from when on it is in force (Unix seconds)."""

    begins: float
    secret: bytes

    @property
    def id(self) -> str:
        """What tells it from others, and says nothing of it."""
        return hmac.new(self.secret, b"headrace ticket secret id", hashlib.sha256).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"TicketSecret({self.id}, begins={self.begins})"


def parse_ticket_secrets(text: bytes) -> tuple[TicketSecret, ...]:
    """Return the secrets in a text, the oldest first; empty lines and those that begin with # are
    passed over. Raises ValueError.
    """
    if len(text) > MOST_FILE_BYTES:
        raise ValueError("it is too long for a file of secrets")
    if text.strip() and not text.endswith(b"\n"):
        raise ValueError("its last line has no end: the file was cut, or is being written")
    found: dict[float, TicketSecret] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        one = _secret_in(words, f"its line {number}")
        if one.begins in found:
            raise ValueError(
                f"its line {number} begins when another one does: give it a later time"
            )
        found[one.begins] = one
    if not found:
        raise ValueError("no secret in it")
    if len(found) > MOST_SECRETS:
        raise ValueError(f"{len(found)} secrets in it: keep the {MOST_SECRETS} newest")
    return tuple(found[begins] for begins in sorted(found))


def read_ticket_secrets(path: Path) -> tuple[TicketSecret, ...]:
    """Return the secrets of a file. Raises ValueError, which says what is wrong with it."""
    return parse_ticket_secrets(read_secret_file(path, MOST_FILE_BYTES))


def period_at(now: float) -> int:
    """Return the number of the period of a time (Unix seconds)."""
    return int(now // PERIOD_S)


def of_period(secrets: Iterable[TicketSecret], period: int) -> TicketSecret | None:
    """Return the secret of which the keys of a period are made; None where none has begun."""
    return in_force(secrets, period * PERIOD_S)


def needed(secrets: Iterable[TicketSecret], now: float) -> tuple[TicketSecret, ...]:
    """Return those that open tickets at this time or later: in the period before, and since."""
    known = tuple(secrets)
    oldest = of_period(known, period_at(now) - 1)
    return tuple(one for one in known if oldest is None or one.begins >= oldest.begins)


def none_in_force(secrets: Sequence[TicketSecret], now: float) -> str:
    """Return what is wrong with secrets that are all to come; "" if one is in force."""
    if of_period(secrets, period_at(now)) is not None:
        return ""
    first = time_text(secrets[0].begins)
    return (
        f"none of its secrets is in force, the first begins at {first}: leave out its time (a "
        f"secret comes into force at {', '.join(_TURNS[:3])} … UTC)"
    )


def in_force(secrets: Iterable[TicketSecret], at: float) -> TicketSecret | None:
    """Return the secret in force at a time: of those that have begun the newest."""
    begun = [one for one in secrets if one.begins <= at]
    return max(begun, key=lambda one: one.begins, default=None)


def text_of(secrets: Sequence[TicketSecret]) -> bytes:
    """Return the text that `parse_ticket_secrets` reads."""
    return b"".join(
        one.secret + b"\n"
        if one.begins == ALWAYS
        else f"{time_text(one.begins)}  ".encode() + one.secret + b"\n"
        for one in secrets
    )


def time_text(at: float) -> str:
    """Return a time as it stands in the file."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _secret_in(words: Sequence[bytes], place: str) -> TicketSecret:
    begins, secret = ALWAYS, words[-1]
    if len(words) > 2:
        raise ValueError(f"{place} has {len(words)} words: write a time and a secret")
    if len(words) == 2:
        begins = _time_in(words[0], place)
    elif _TIME.fullmatch(secret):
        raise ValueError(f"{place} has a time and no secret behind it")
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(f"{place} has a secret shorter than {SHORTEST_SECRET} characters")
    return TicketSecret(begins, secret)


def _time_in(word: bytes, place: str) -> float:
    try:
        if _TIME.fullmatch(word):
            return datetime.fromisoformat(word.decode()).timestamp()
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{place} begins with no time such as 2026-11-26T15:00:00Z")
