"""Requests between servers of a network: who asks, signed with a secret that all of them share.

Or, where servers show certificates to each other, not signed: the connection says who asks.
Everything is in one field, `Headrace-Peer`: version, the asker's name and site, how many servers
the request has come through, the client's scheme, when it was signed, times of purges, the
signature. It covers method, host and target too, so that it is good for this one request, and for a
short time. Times are by the asker's clock. Pure: `now` is an argument. Whether the network has such
a server is the caller's to check.
"""

from __future__ import annotations

import binascii
import enum
import hmac
import math
import re
from dataclasses import dataclass, field, replace
from typing import Final

import xxhash

from headrace.errors import HeadraceError
from headrace.http.fields import PEER_FIELD
from headrace.http.message import Field
from headrace.reasons import Reason

SKEW_S: Final = 30.0
"""How old a signature may be, and how far ahead the asker's clock: longer is a replay."""

_ROUNDED_S = 0.0015  # by how much a time may seem to be later than it is
_VERSION = b"1"
_LONGEST = 640
MOST_TAGS: Final = 8
_NAME = rb"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?"
_MS = rb"([0-9]{1,15})"
_TAGS = rb"(-|[0-9a-f*:,~]{1,400})"
_VALUE = re.compile(
    rb"(1 (%b) (%b) ([0-9]{1,2}) (https?) %b %b %b %b) ([0-9a-f]{64}|-)"
    % (_NAME, _NAME, _MS, _MS, _MS, _TAGS)
)
_UNSIGNED = b"-"
_TAG = re.compile(rb"([0-9a-f]{8}|\*):([0-9]{1,15})(~?)")
_WHOLE_NAME = re.compile(_NAME)


class Unnameable(HeadraceError):
    """A name of a server or a site that cannot stand in the field."""


class PeerRefusal(enum.Enum):
    """Why a request's peer field is not believed. Values are the words of metrics and the log."""

    MALFORMED = Reason.PEER_MALFORMED.word
    SIGNATURE = Reason.PEER_SIGNATURE.word
    CLOCK = Reason.PEER_CLOCK.word
    UNKNOWN = Reason.PEER_UNKNOWN.word
    UNEXPECTED = Reason.PEER_UNEXPECTED.word
    CERTIFICATE = Reason.PEER_CERTIFICATE.word


@dataclass(frozen=True, slots=True)
class TagPurge:
    """A purge by a tag, which is named by its digest. `soft`: what it hits may be validated."""

    digest: int
    before: float
    soft: bool = False


@dataclass(frozen=True, slots=True)
class PurgeTimes:
    """What an asker knows of purges that hit, or may hit, what it asks for (Unix time, 0: none).

    What was stored from a fill that began before `not_before` is not to be used for its request;
    what began before `stale_before` only after a validation. Whether the response has one of
    `tags` it cannot know; `tagged_before` is when the newest purge was that is not among them, and
    holds for whatever has a tag.
    """

    not_before: float = 0.0
    stale_before: float = 0.0
    tags: tuple[TagPurge, ...] = ()
    tagged_before: float = 0.0


NO_PURGES = PurgeTimes()


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks: a server, its site, and through how many servers the request came, the asker
    included; and what it knows of purges.

    `secure`: the client asks by https. How servers ask each other is another matter.
    """

    name: str
    site: str
    hops: int = 1
    purges: PurgeTimes = NO_PURGES
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """A request that was signed, and when: that and the times of purges by the asker's clock."""

    peer: Peer
    at: float


def tag_digest(tag: bytes) -> int:
    """Return what names a tag among servers: two may share it, and are then purged together."""
    return xxhash.xxh3_64_intdigest(tag) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class PeerSecrets:
    """The secrets of a network: the first signs, each of them verifies."""

    secrets: tuple[bytes, ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        return bool(self.secrets)


def sign(
    secrets: PeerSecrets, method: bytes, host: bytes, target: bytes, asker: Peer, now: float
) -> list[Field]:
    """Return the fields that a request to another server carries. `asker` is who signs: `hops`
    counts it. `host` and `target` are as they are sent. Raises Unnameable. Without secrets it is
    not signed: only who sees the asker's certificate believes it.

    A purge that another clock dates in the future was made before now all the same.
    """
    name, site = asker.name.encode(), asker.site.encode()
    if not _WHOLE_NAME.fullmatch(name) or not _WHOLE_NAME.fullmatch(site):
        raise Unnameable(f"{asker.name!r} of {asker.site!r} cannot stand in a request's field")
    purges = asker.purges
    said = b"%b %b %b %d %b %d %d %d %b" % (
        _VERSION, name, site, asker.hops, b"https" if asker.secure else b"http", now * 1000,
        _ms(purges.not_before, now), _ms(purges.stale_before, now),
        _tags_text(purges, now) or b"-",
    )  # fmt: skip
    if not secrets:
        return [(PEER_FIELD, said + b" " + _UNSIGNED)]
    mac = _mac(secrets.secrets[0], said, method, host, target)
    return [(PEER_FIELD, said + b" " + binascii.hexlify(mac))]


def verify(
    secrets: PeerSecrets,
    method: bytes,
    host: bytes,
    target: bytes,
    values: list[bytes],
    now: float,
    *,
    certified: bool = False,
) -> Signed | PeerRefusal:
    """Return who asks, or why the field is not believed. `values` are all lines of the field.

    `certified`: it came by a connection whose certificate says who asks, which is the caller's to
    compare; then no signature is needed.
    """
    if len(values) != 1 or len(values[0]) > _LONGEST:
        return PeerRefusal.MALFORMED
    found = _VALUE.fullmatch(values[0])
    if found is None:
        return PeerRefusal.MALFORMED
    said, name, site, hops, scheme, signed_ms, before_ms, stale_before_ms, tags, mac = (
        found.groups()
    )
    if not certified and not _is_signed(secrets, mac, said, method, host, target):
        return PeerRefusal.SIGNATURE
    signed_at = int(signed_ms) / 1000
    if abs(now - signed_at) > SKEW_S:
        return PeerRefusal.CLOCK
    try:
        purges = PurgeTimes(
            _moment(before_ms, signed_at),
            _moment(stale_before_ms, signed_at),
            *_tag_times(tags, signed_at),
        )
    except ValueError:
        return PeerRefusal.MALFORMED
    if int(hops) < 1:
        return PeerRefusal.MALFORMED
    peer = Peer(name.decode(), site.decode(), int(hops), purges, scheme == b"https")
    return Signed(peer, signed_at)


def _is_signed(
    secrets: PeerSecrets, mac: bytes, said: bytes, method: bytes, host: bytes, target: bytes
) -> bool:
    if mac == _UNSIGNED:
        return False
    given, good = binascii.unhexlify(mac), False
    for secret in secrets.secrets:  # all of them: how long it takes says nothing of which one
        good |= hmac.compare_digest(_mac(secret, said, method, host, target), given)
    return good


def later(purges: PurgeTimes, by_s: float, now: float) -> PurgeTimes:
    """Return times that are later by so much, but not later than `now`."""
    if purges == NO_PURGES:
        return NO_PURGES

    def moved(moment: float) -> float:
        return min(moment + by_s, now) if moment else 0.0

    return PurgeTimes(
        moved(purges.not_before),
        moved(purges.stale_before),
        tuple(replace(tag, before=moved(tag.before)) for tag in purges.tags),
        moved(purges.tagged_before),
    )


def _ms(moment: float, now: float) -> int:
    """Return a time of a purge in milliseconds, rather too late: what was fetched in the very
    millisecond may be from before.
    """
    return math.ceil(min(moment, now) * 1000)


def _moment(text_ms: bytes, signed_at: float) -> float:
    """Return a time. Raises ValueError for one to come: no server is told today what is purged
    tomorrow.
    """
    moment = int(text_ms) / 1000
    if moment > signed_at + _ROUNDED_S:
        raise ValueError("a purge to come")
    return moment


def _tags_text(purges: PurgeTimes, now: float) -> bytes:
    found = [
        b"%08x:%d%b" % (tag.digest, _ms(tag.before, now), b"~" if tag.soft else b"")
        for tag in purges.tags[:MOST_TAGS]
    ]
    others = max([purges.tagged_before, *(tag.before for tag in purges.tags[MOST_TAGS:])])
    if others:
        found.append(b"*:%d" % _ms(others, now))
    return b",".join(found)


def _tag_times(text: bytes, signed_at: float) -> tuple[tuple[TagPurge, ...], float]:
    """Return the purges by tags that have names, and the time for all others. Raises ValueError."""
    tags, others = [], 0.0
    for piece in text.split(b",") if text != b"-" else ():
        found = _TAG.fullmatch(piece)
        if found is None:
            raise ValueError("no purge by a tag")
        digest, moment_ms, soft = found.groups()
        moment = _moment(moment_ms, signed_at)
        if digest == b"*":
            others = moment
        else:
            tags.append(TagPurge(int(digest, 16), moment, bool(soft)))
    if len(tags) > MOST_TAGS:
        raise ValueError("too many purges by tags")
    return tuple(tags), others


def _mac(secret: bytes, said: bytes, method: bytes, host: bytes, target: bytes) -> bytes:
    """Sign the lines of a request: none of them can have a line's end, so they mean one thing."""
    lines = (b"headrace-peer", said, method, host.lower(), target)
    return hmac.digest(secret, b"\n".join(lines), "sha256")
