"""Which keys seal and open session tickets at a time. Pure.

Time is cut into periods, counted from 1970. Each has a secret of its own, and each certificate has
a key made of that. A server seals with the key of the period that it is in and opens with those of
the one before, too, and of the next, in which a server is whose clock is ahead. No ticket lives for
longer than a period, so none outlives the keys that open it.

Servers with the same file of secrets come to the same keys by themselves. Without one a node has
random secrets of its own, which it forgets when their time is over.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from headrace.config.ticket_secrets import TicketSecret, of_period, period_at
from headrace.http.server.ticket_keys import KEY_BYTES

SECRET_BYTES: Final = 32

SecretOf = Callable[[int], bytes | None]
"""Returns the secret of a period; None where it has none."""


def secrets_at(now: float, secret_of: SecretOf) -> tuple[bytes, ...]:
    """Return the secrets of the present period, the one before and the next; () where the present
    one has none.
    """
    period = period_at(now)
    present = secret_of(period)
    if present is None:
        return ()
    others = (secret_of(period - 1), secret_of(period + 1))
    return (present, *(other for other in others if other is not None))


class SharedSecrets:
    """Secrets of periods, made of those in a file that servers share."""

    def __init__(self, shared: Sequence[TicketSecret]) -> None:
        self._shared = shared

    def __call__(self, period: int) -> bytes | None:
        """Return the secret of a period, of that in force when it begins."""
        found = of_period(self._shared, period)
        if found is None:
            return None
        return _derived(found.secret, b"headrace ticket period %d" % period, SECRET_BYTES)


class OwnSecrets:
    """Random secrets, known to this node alone, and only while they open something."""

    def __init__(self) -> None:
        self._made: dict[int, bytes] = {}

    def __call__(self, period: int) -> bytes:
        """Return the secret of a period."""
        if period not in self._made:
            self._made[period] = secrets.token_bytes(SECRET_BYTES)
        return self._made[period]

    def forget(self, now: float) -> None:
        """Forget the secrets that open nothing any more."""
        period = period_at(now)
        self._made = {at: made for at, made in self._made.items() if abs(at - period) <= 1}


def key_of(secret: bytes, fingerprint: bytes) -> bytes:
    """Return the key of one certificate in the period of this secret."""
    return _derived(secret, b"headrace ticket " + fingerprint, KEY_BYTES)


def _derived(secret: bytes, info: bytes, size_bytes: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), size_bytes, salt=None, info=info).derive(secret)
