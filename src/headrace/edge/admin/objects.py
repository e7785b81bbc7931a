"""What is stored, and what is to be purged: the operations on objects."""

from __future__ import annotations

from typing import Protocol

import msgspec
import structlog

from headrace.edge.admin.purging import Directory, plan_purge
from headrace.edge.admin.requests import ListRequest, PurgeRequest, PurgesRequest, UrlRequest
from headrace.edge.admin.store_admin import CursorError, PendingPurge, StoredObject, StoredVariant
from headrace.edge.admin.store_thread import StoreThread
from headrace.node.admin.load import Identity
from headrace.node.admin.problem import ProblemError

log = structlog.get_logger("headrace.admin")


class Edge(Protocol):
    """The edge's side of these operations, in the supervisor."""

    @property
    def store(self) -> StoreThread:
        """The open store."""
        ...

    @property
    def directory(self) -> Directory:
        """The services' keys by the configuration in force."""
        ...

    def purged(self) -> None:
        """Note that a purge is in force, and that there is something to sweep."""
        ...

    def identity(self) -> Identity:
        """Return who it is in reports."""
        ...


class Purged(msgspec.Struct):
    """What a purge came to: its generation, and how many services and rules it concerned."""

    generation: int
    rules: int
    services: list[str]
    soft: bool


class ObjectPage(msgspec.Struct):
    """Some stored objects, and the cursor of the next page (null after the last)."""

    objects: list[StoredObject]
    cursor: str | None


class ServiceVariant(StoredVariant, kw_only=True):
    """A stored variant, and the service whose it is."""

    service: str


class Variants(msgspec.Struct):
    """Every stored variant of one URL, in all services."""

    url: str
    variants: list[ServiceVariant]


class PendingPurges(msgspec.Struct):
    """The purges that the sweep has not finished yet, the newest first."""

    purges: list[PendingPurge]


class Objects:
    """One method for each operation."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def purge(self, asked: PurgeRequest) -> Purged:
        """Carry out a purge. Raises ProblemError when it is for nothing that is known."""
        plan = plan_purge(asked, self._edge.directory)
        store = self._edge.store
        generations = [await store.purge(one) for one in plan]
        self._edge.purged()
        services = sorted({one.service for one in plan if one.service is not None})
        kind, _named = asked.target
        log.info("purge", kind=kind, soft=asked.soft, services=services, rules=len(plan))
        return Purged(max(generations), len(plan), services, asked.soft)

    async def purges(self, asked: PurgesRequest) -> PendingPurges:
        """Return the purges that the sweep has not finished yet."""
        return PendingPurges(await self._edge.store.purges(asked.limit))

    async def objects(self, asked: ListRequest) -> ObjectPage:
        """Return a page of the stored objects. Raises ProblemError."""
        try:
            return await self._page(asked)
        except CursorError as error:
            raise ProblemError(422, str(error), field="cursor") from error

    async def _page(self, asked: ListRequest) -> ObjectPage:
        prefixes = [b""]
        if asked.prefix is not None:
            found = self._edge.directory.prefixes(asked.prefix, service=None, field="prefix")
            prefixes = [prefix for _name, prefix in found]
        at, cursor = place_of(asked.cursor, len(prefixes))
        objects: list[StoredObject] = []
        for number in range(at, len(prefixes)):
            page = await self._edge.store.listing(
                prefixes[number], asked.limit - len(objects), cursor
            )
            cursor = None
            objects += page.objects
            if page.cursor is not None:
                return ObjectPage(objects, f"{number}.{page.cursor}")
            if len(objects) >= asked.limit and number + 1 < len(prefixes):
                return ObjectPage(objects, f"{number + 1}.")
        return ObjectPage(objects, None)

    async def inspect(self, asked: UrlRequest) -> Variants:
        """Return every variant of a URL. Raises ProblemError when nothing is stored for it."""
        keys = self._edge.directory.keys(asked.url, service=None, field="url")
        variants = [
            ServiceVariant(service=name, **msgspec.structs.asdict(variant))
            for name, key in keys
            for variant in await self._edge.store.inspect(key)
        ]
        if not variants:
            raise ProblemError(404, f"nothing is stored for {asked.url}", field="url")
        return Variants(asked.url, variants)


def place_of(cursor: str | None, prefixes: int) -> tuple[int, str | None]:
    """Return a cursor's two parts: which prefix of the listing, and where in it.

    Raises ProblemError.
    """
    if cursor is None:
        return 0, None
    number, dot, rest = cursor.partition(".")
    good = number.isascii() and number.isdigit() and len(number) < 6 and bool(dot)
    if not good or int(number) >= prefixes:
        raise ProblemError(
            422, "this cursor is not from a listing with the same prefix", field="cursor"
        )
    return int(number), rest or None
