"""What is asked for in a simulation: kinds of objects as caches see them, and titles of those.

Which class and which shard an object is of, whether it is stored and for how long it is fresh, say
the functions that routers and edges go by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from headrace.cache.freshness import hot_until
from headrace.cache.record import StoredResponse
from headrace.cache.reuse import Action, decide_reuse
from headrace.cache.rules import CacheRules
from headrace.cache.storing import decide_storing
from headrace.errors import HeadraceError
from headrace.http.message import Headers, Request, ResponseHead
from headrace.store.header import header_bytes_for
from headrace.store.layout import in_pages
from headrace.topology.classify import Classes, Classified
from headrace.topology.model import ContentClass

RECORD_BYTES = 600
"""What the record in front of a body takes, about."""

_CHUNK_BITS = 24


class UnknownContent(HeadraceError):
    """Something is asked for that no class of the network is for."""


def charged_bytes(size_bytes: int) -> int:
    """Return what a store charges for an object: whole pages, its record among them."""
    return in_pages(header_bytes_for(RECORD_BYTES) + size_bytes)


@dataclass(slots=True)
class Caching:
    """How caches treat a kind of object. `fresh_s` is for how long anybody gets it undecided after
    it was made; `ages`: that ends before the simulation does.
    """

    stores: bool
    fresh_s: float
    ages: bool
    record: StoredResponse
    request: Request
    rules: CacheRules

    def action(self, born: float, now: float) -> Action:
        """Return what is done with one that was made at `born`."""
        return decide_reuse(self.request, self.record_of(born), self.rules, now).action

    def record_of(self, born: float) -> StoredResponse:
        """Return what a store knows of one that was made at `born`."""
        return replace(self.record, response_time=born)


def caching_of(cache_control: str, size_bytes: int, horizon_s: float) -> Caching:
    """Return how caches treat objects that come with this Cache-Control."""
    rules = CacheRules()
    request = Request(b"GET", b"/", b"http", b"", b"/", None, (1, 1), Headers())
    head = ResponseHead(200, Headers([(b"cache-control", cache_control.encode())]))
    storing = decide_storing(request, head, rules, request_time=0.0, response_time=0.0)
    record = StoredResponse(
        b"", b"", (), 200, (), 0.0, storing.corrected_age_s, storing.lifetime_s,
        storing.stale_while_revalidate_s, storing.stale_if_error_s, int(storing.flags),
        size_bytes, size_bytes, b"", 0, (),
    )  # fmt: skip
    fresh_s = hot_until(record, rules)
    return Caching(storing.store, fresh_s, fresh_s < horizon_s, record, request, rules)


class Kind:
    """Objects that differ in their numbers only."""

    __slots__ = (
        "caching", "charge_bytes", "chunk_s", "classes", "content", "host", "name", "path",
        "shard_by_title", "size_bytes",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        classes: Classes,
        host: str,
        path: str,
        *,
        chunk_s: float,
        bit_rate_bps: int,
        cache_control: str,
        horizon_s: float,
    ) -> None:
        """Make a kind. Raises UnknownContent where the network has no class for it."""
        self.name = name
        self.classes = classes
        self.host = host.encode()
        self.path = path
        self.chunk_s = chunk_s
        self.size_bytes = max(1, round(chunk_s * bit_rate_bps / 8))
        self.charge_bytes = charged_bytes(self.size_bytes)
        self.caching = caching_of(cache_control, self.size_bytes, horizon_s)
        first, second = (self._classified(f"{name}-0", chunk) for chunk in (0, 1))
        self.content: ContentClass = first.content
        self.shard_by_title = first.shard == second.shard

    def _classified(self, title: str, chunk: int) -> Classified:
        path = self.path.replace("{title}", title).replace("{chunk}", str(chunk))
        found = self.classes.of(self.host, path.encode())
        if found is None:
            raise UnknownContent(
                f"no class of the network is for {self.host.decode()}{path}: give {self.name!r} "
                "another host or path, or add a [[class]] to the network"
            )
        return found

    def shard_of(self, title: str, chunk: int) -> bytes:
        """Return the shard that a piece is of. Raises UnknownContent."""
        return self._classified(title, chunk).shard


class Sized(Protocol):
    """What a server has to know of an object that it serves."""

    @property
    def caching(self) -> Caching:
        """How caches treat it."""

    @property
    def content(self) -> ContentClass:
        """Its class."""

    @property
    def size_bytes(self) -> int:
        """The bytes of its body."""

    @property
    def charge_bytes(self) -> int:
        """What a store charges for it."""

    @property
    def chunk_s(self) -> float:
        """How long it plays."""


class Watched(Protocol):
    """What is asked for: its pieces have the entries from `base` on, and are of one kind."""

    @property
    def kind(self) -> Sized:
        """What they have in common."""

    @property
    def base(self) -> int:
        """The entry of the first."""

    def shard(self, chunk: int) -> bytes:
        """Return the shard of a piece."""


class Title:
    """What one watches: its pieces have the entries from `base` on."""

    __slots__ = ("base", "chunks", "first_shard", "kind", "name")

    def __init__(self, kind: Kind, number: int, name: str, chunks: int) -> None:
        """`number` is another one for each title of a simulation."""
        self.kind = kind
        self.base = number << _CHUNK_BITS
        self.name = name
        self.chunks = chunks
        self.first_shard = kind.shard_of(name, 0)

    def shard(self, chunk: int) -> bytes:
        """Return the shard of a piece."""
        if self.kind.shard_by_title:
            return self.first_shard
        return self.kind.shard_of(self.name, chunk)
