"""The geographic file of a worker: read before it serves, and again when another one is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from headrace.node.network.geo_file import GeoFile
from headrace.topology.geo import BadGeoFile, GeoTable

CHECK_S = 5.0
log = structlog.get_logger("headrace.router")


class FollowedGeo:
    """What a file says of where addresses are, handed to `adopt` whenever that is something new.

    A broken file changes nothing: what was there before stays, over a restart too.
    """

    def __init__(
        self,
        path: Path,
        state_dir: Path,
        adopt: Callable[[GeoTable], None],
        check_s: float = CHECK_S,
    ) -> None:
        """Read the file, or the last good one in its place. Raises BadGeoFile."""
        self._file = GeoFile(path, state_dir)
        self._adopt = adopt
        self._check_s = check_s
        self._task: asyncio.Task[None] | None = None
        try:
            table = self._file.read()
        except BadGeoFile as error:
            last = self._file.last_good()
            if last is None:
                raise
            log.error("geo_refused", problem=str(error), in_force="last_good")
            table = last
        adopt(table)

    def follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the file until `close`."""
        self._task = loop.create_task(self._follow())

    def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._check_s)
            try:
                table = await asyncio.to_thread(self._read_if_changed)
            except BadGeoFile as error:
                log.error("geo_refused", problem=str(error), in_force="as_before")
                continue
            if table is not None:
                log.info("geo_taken", kind=table.kind, made_at=table.made_at)
                self._adopt(table)

    def _read_if_changed(self) -> GeoTable | None:
        return self._file.read() if self._file.changed() else None
