"""What the soak's origin serves: objects whose bytes follow from their names and versions.

A response's ETag names its body, so that a client can check it without asking anybody; for
objects that change it also names the version, which must not be older than the last purge.
"""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, replace

from tests.harness.bodies import Body
from tests.harness.replies import Drip, End, Pause, Recorded, Reply, cacheable, headers

FIXED = 400
CHANGING = 40
PRIVATE = 20
HUGE_SEED = 999_999
HUGE = Body(HUGE_SEED, 10 * 1024**3)
_FIRST_CHANGING = 1_000_000
_FIRST_PRIVATE = 500_000
_VERSIONS = 100_000
_TAG = re.compile(r'"(\d+)-(\d+)"')


@dataclass(frozen=True, slots=True)
class Named:
    """One object of the catalogue: its kind ("fixed", "changing", "private", "huge"), number."""

    kind: str
    number: int

    @property
    def path(self) -> str:
        return f"/{self.kind}/{self.number}"


class Catalogue:
    """All objects. `versions` of changing ones grow; `floors` are what purges guarantee."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.versions = [0] * CHANGING
        self.floors = [0] * CHANGING

    def body(self, named: Named) -> Body:
        """The body that the origin gives now."""
        match named.kind:
            case "huge":
                return HUGE
            case "fixed":
                return Body(named.number, _size(named.number))
            case "private":
                return Body(_FIRST_PRIVATE + named.number, 200_000)
            case _:
                seed = _FIRST_CHANGING + named.number * _VERSIONS + self.versions[named.number]
                return Body(seed, 1000 + (seed * 7919) % 600_000)

    def change(self, number: int) -> int:
        """Give a changing object new bytes; its version."""
        with self.lock:
            self.versions[number] += 1
            return self.versions[number]

    def raise_floor(self, number: int, version: int) -> None:
        """From now on nobody may get an older version."""
        with self.lock:
            self.floors[number] = max(self.floors[number], version)


def body_by_tag(named: Named, tag: str | None) -> tuple[Body, int] | None:
    """The body that an ETag names, with its version; None when it cannot be this object's."""
    match = _TAG.fullmatch(tag or "")
    if match is None:
        return None
    seed, size = int(match[1]), int(match[2])
    first, span = {
        "huge": (HUGE_SEED, 1),
        "fixed": (named.number, 1),
        "private": (_FIRST_PRIVATE + named.number, 1),
        "changing": (_FIRST_CHANGING + named.number * _VERSIONS, _VERSIONS),
    }[named.kind]
    return (Body(seed, size), seed - first) if 0 <= seed - first < span else None


def _size(number: int) -> int:
    """Most are small, some are segments, a few are long."""
    chance = random.Random(number)
    if number % 40 == 0:
        return chance.randint(8_000_000, 30_000_000)
    if number % 3 == 0:
        return chance.randint(300_000, 3_000_000)
    return chance.randint(0, 60_000)


class Script:
    """Answers for the origin; now and then (`fault_share` of requests) as it should not."""

    def __init__(
        self, catalogue: Catalogue, fault_share: float, chunked_share: float, seed: int
    ) -> None:
        self._catalogue = catalogue
        self._fault_share = fault_share
        self._chunked_share = chunked_share
        self._chance = random.Random(seed)
        self.faults = 0

    def __call__(self, request: Recorded) -> Reply:
        _, kind, number = request.path.split("/")
        named = Named(kind, int(number))
        if request.method == "POST":
            if kind == "changing":
                version = self._catalogue.change(named.number)
                return Reply(status=204, headers=headers(x_version=str(version)))
            return Reply(headers=headers(x_digest=request.digest.hexdigest()), body=b"taken")
        body = self._catalogue.body(named)
        seconds = {"changing": 3, "private": 0}.get(kind, 600)
        reply = cacheable(body, seconds, surrogate_key=f"{kind} {kind}-{named.number % 7}")
        if kind == "private":
            reply = replace(reply, headers=(*reply.headers, ("Cache-Control", "no-store")))
        if self._chance.random() < self._chunked_share:
            reply = replace(reply, framing="chunked")
        if self._chance.random() < self._fault_share:
            self.faults += 1
            return self._spoil(reply)
        return reply

    def _spoil(self, reply: Reply) -> Reply:
        chance = self._chance
        where = chance.randint(0, min(max(0, reply.body_bytes - 1), 3_000_000))
        match chance.randrange(8):
            case 0:
                return replace(reply, end=End(where))
            case 1:
                return replace(reply, end=End(where, reset=True))
            case 2:
                return replace(reply, end=End("before_head", reset=True))
            case 3:
                return replace(reply, end=End("in_head"))
            case 4:
                return replace(reply, pause=Pause(where, seconds=0.5))
            case 5:
                return Reply(status=503, body=b"busy")
            case 6:
                return replace(reply, framing="chunked", bad_chunking="no_end")
            case _:
                return replace(reply, drip=Drip(64 * 1024, 0.002), close_after=True)
