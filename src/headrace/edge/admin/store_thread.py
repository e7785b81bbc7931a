"""The store's own thread: the supervisor's calls go there, one after another, off the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from headrace.config import Config
from headrace.edge.admin.store_admin import Page, PendingPurge, Purge, StoreAdmin, StoredVariant
from headrace.store.index import READ_ERRORS, damaged

Response = TypeVar("Response")


class StoreThread:
    """A StoreAdmin for coroutines. A store may not be used by several threads; here it has one.

    Every method raises what the store's own does, and StoreError when the index is damaged.
    """

    def __init__(self, executor: ThreadPoolExecutor, admin: StoreAdmin) -> None:
        self._executor = executor
        self._admin = admin

    @classmethod
    async def open(cls, opener: Callable[[Config], StoreAdmin], config: Config) -> Self:
        """Open the store in its thread."""
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            admin = await asyncio.get_running_loop().run_in_executor(executor, opener, config)
        except BaseException:
            executor.shutdown(wait=False)
            raise
        return cls(executor, admin)

    async def close(self) -> None:
        """Close the store after the call that runs."""
        await self._call(self._admin.close)
        self._executor.shutdown(wait=False)

    async def generation(self) -> int:
        """Return the purge generation."""
        return await self._call(self._admin.generation)

    async def purge(self, purge: Purge) -> int:
        """Make a purge true; return its generation."""
        return await self._call(self._admin.purge, purge)

    async def purges(self, limit: int) -> list[PendingPurge]:
        """Return the newest purges that are not carried out to the end yet."""
        return await self._call(self._admin.purges, limit)

    async def sweep(self) -> bool:
        """Take one step of cleaning up; return whether there is more to do now."""
        return await self._call(self._admin.sweep)

    async def refusal(self) -> str:
        """Return why the disk takes nothing new, after a trial where it did not; "" if it does."""
        return await self._call(self._admin.refusal)

    async def stats(self) -> Mapping[str, float]:
        """Return sizes and counts, under the store's own names."""
        return await self._call(self._admin.stats)

    async def listing(self, prefix: bytes, limit: int, cursor: str | None) -> Page:
        """Return a page of the stored objects. Raises CursorError."""
        return await self._call(self._admin.listing, prefix, limit, cursor)

    async def inspect(self, key: bytes) -> list[StoredVariant]:
        """Return every stored variant of one cache key."""
        return await self._call(self._admin.inspect, key)

    async def _call(self, function: Callable[..., Response], *arguments: Any) -> Response:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, function, *arguments)
        except READ_ERRORS as error:
            raise damaged(error) from error
