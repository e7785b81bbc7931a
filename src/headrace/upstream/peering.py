"""Requests between servers of a network: who asks, signed with a secret that all of them share.

Everything is in one field, `Headrace-Peer`: version, the asker's name and site, how many servers
the request has come through, when it was signed, the two times of purges, the signature. It covers
method, host and target too, so that it is good for this one request, and for a short time. Pure:
`now` is an argument. Whether the network has such a server is the caller's to check.
"""

from __future__ import annotations

import binascii
import enum
import hmac
import re
from dataclasses import dataclass, field
from typing import Final

from headrace.errors import HeadraceError
from headrace.http.message import Field
from headrace.reasons import Reason

PEER_FIELD: Final = b"headrace-peer"
MOST_SECRETS: Final = 4
SHORTEST_SECRET: Final = 32
SKEW_S: Final = 30.0
"""How old a signature may be, and how far ahead the asker's clock: longer is a replay."""

_VERSION = b"1"
_LONGEST = 320
_NAME = rb"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?"
_VALUE = re.compile(
    rb"(1 (" + _NAME + rb") (" + _NAME + rb") ([0-9]{1,2}) ([0-9]{1,15}) ([0-9]{1,15})"
    rb" ([0-9]{1,15})) ([0-9a-f]{64})"
)
_WHOLE_NAME = re.compile(_NAME)


class Unnameable(HeadraceError):
    """A name of a server or a site that cannot stand in the field."""


class PeerRefusal(enum.Enum):
    """Why a request's peer field is not believed. Values are the words of metrics and the log."""

    MALFORMED = Reason.PEER_MALFORMED.word
    SIGNATURE = Reason.PEER_SIGNATURE.word
    CLOCK = Reason.PEER_CLOCK.word
    UNKNOWN = Reason.PEER_UNKNOWN.word


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks: a server, its site, and through how many servers the request came, the asker
    included.

    What was stored from a fill that began before `not_before` (Unix time, 0: never purged) is
    not to be used for this request; what began before `stale_before` only after a validation.
    """

    name: str
    site: str
    hops: int = 1
    not_before: float = 0.0
    stale_before: float = 0.0


@dataclass(frozen=True, slots=True)
class PeerSecrets:
    """The secrets of a network: the first signs, each of them verifies."""

    secrets: tuple[bytes, ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.secrets)


def parse_secrets(text: bytes) -> PeerSecrets:
    """Return the secrets of a file: one a line, the newest first; empty lines and those that begin
    with # are passed over. Raises ValueError.
    """
    lines = [line.strip() for line in text.splitlines()]
    secrets = tuple(line for line in lines if line and not line.startswith(b"#"))
    if not secrets:
        raise ValueError("no secret in it: write one line of at least 32 characters")
    if len(secrets) > MOST_SECRETS:
        raise ValueError(f"{len(secrets)} secrets in it: keep the {MOST_SECRETS} newest")
    for number, secret in enumerate(secrets, 1):
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"its secret {number} is shorter than {SHORTEST_SECRET} characters")
    return PeerSecrets(secrets)


def sign(
    secrets: PeerSecrets, method: bytes, host: bytes, target: bytes, asker: Peer, now: float
) -> list[Field]:
    """Return the fields that a request to another server carries. `asker` is who signs: `hops`
    counts it. `host` and `target` are as they are sent. Raises Unnameable.

    A purge that another clock dates in the future was made before now all the same.
    """
    name, site = asker.name.encode(), asker.site.encode()
    if not _WHOLE_NAME.fullmatch(name) or not _WHOLE_NAME.fullmatch(site):
        raise Unnameable(f"{asker.name!r} of {asker.site!r} cannot stand in a request's field")
    said = b"%b %b %b %d %d %d %d" % (
        _VERSION, name, site, asker.hops,
        now * 1000, min(asker.not_before, now) * 1000, min(asker.stale_before, now) * 1000,
    )  # fmt: skip
    mac = _mac(secrets.secrets[0], said, method, host, target)
    return [(PEER_FIELD, said + b" " + binascii.hexlify(mac))]


def verify(
    secrets: PeerSecrets,
    method: bytes,
    host: bytes,
    target: bytes,
    values: list[bytes],
    now: float,
) -> Peer | PeerRefusal:
    """Return who asks, or why the field is not believed. `values` are all lines of the field."""
    if len(values) != 1 or len(values[0]) > _LONGEST:
        return PeerRefusal.MALFORMED
    found = _VALUE.fullmatch(values[0])
    if found is None:
        return PeerRefusal.MALFORMED
    said, name, site, hops, signed_ms, not_before_ms, stale_before_ms, mac = found.groups()
    given = binascii.unhexlify(mac)
    good = False
    for secret in secrets.secrets:  # all of them: how long it takes says nothing of which one
        good |= hmac.compare_digest(_mac(secret, said, method, host, target), given)
    if not good:
        return PeerRefusal.SIGNATURE
    signed_at = int(signed_ms) / 1000
    if abs(now - signed_at) > SKEW_S:
        return PeerRefusal.CLOCK
    not_before, stale_before = int(not_before_ms) / 1000, int(stale_before_ms) / 1000
    if int(hops) < 1 or max(not_before, stale_before) > signed_at:
        return PeerRefusal.MALFORMED  # no server is told today what is purged tomorrow
    return Peer(name.decode(), site.decode(), int(hops), not_before, stale_before)


def _mac(secret: bytes, said: bytes, method: bytes, host: bytes, target: bytes) -> bytes:
    """Sign the lines of a request: none of them can have a line's end, so they mean one thing."""
    lines = (b"headrace-peer", said, method, host.lower(), target)
    return hmac.digest(secret, b"\n".join(lines), "sha256")
