"""What survives a restart, in the state directory: what was decided, the orders of operators, and
the place of the last view. Each is a file that is replaced whole.

A file that cannot be read is left out: the other observers know the same, and what has been decided
is decided again from what is observed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta

from headrace.feedback.exchange.document import MOST_MEMORY_BYTES, UnixTime
from headrace.feedback.orders import NO_ORDERS, Orders
from headrace.node.network.files import opened
from headrace.topology.view_codec import LARGEST_BYTES as LARGEST_VIEW_BYTES

DECIDED = "feedback.decided"
ORDERS = "feedback.orders"
LARGEST_BYTES = 32 * 1024**2

log = structlog.get_logger("headrace.feedback")


class Decided(msgspec.Struct, frozen=True):
    """What had been decided at `now`: the memory, and the last view that was published."""

    now: UnixTime
    memory: Annotated[bytes, Meta(max_length=MOST_MEMORY_BYTES)]
    view: Annotated[bytes, Meta(max_length=LARGEST_VIEW_BYTES)]


def read_decided(directory: Path) -> Decided | None:
    """Return what was decided before; None for nothing that can be used."""
    data = _read(directory / DECIDED)
    if data is None:
        return None
    try:
        return msgspec.msgpack.decode(data, type=Decided)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        log.error("kept_file_unusable", file=str(directory / DECIDED), problem=str(error)[:300])
        return None


def keep_decided(directory: Path, decided: Decided) -> None:
    """Keep what is decided. Raises OSError."""
    _write(directory / DECIDED, msgspec.msgpack.encode(decided), sync=False)


def read_orders(directory: Path) -> Orders:
    """Return the orders that were kept; none where they cannot be used."""
    data = _read(directory / ORDERS)
    if data is None:
        return NO_ORDERS
    try:
        return msgspec.json.decode(data, type=Orders)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        log.error("kept_file_unusable", file=str(directory / ORDERS), problem=str(error)[:300])
        return NO_ORDERS


def keep_orders(directory: Path, orders: Orders) -> None:
    """Keep the orders; they are on the disk when this returns. Raises OSError."""
    _write(directory / ORDERS, msgspec.json.encode(orders) + b"\n", sync=True)


def _read(path: Path) -> bytes | None:
    try:
        with opened(path) as file:  # no pipe, which would be waited for
            data = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.error("kept_file_unusable", file=str(path), problem=error.strerror)
        return None
    if len(data) > LARGEST_BYTES:
        log.error("kept_file_unusable", file=str(path), problem="it is too large")
        return None
    return data


def _write(path: Path, data: bytes, *, sync: bool) -> None:
    new = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
        if sync:
            _sync_directory(path.parent)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _sync_directory(directory: Path) -> None:
    """Have it on the disk which file has which name: until then, after a power cut, it may be the
    one before."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Keeper:
    """Writes files in the background, each by one thread at a time; of several values for the same
    file that come meanwhile only the last is written. `problems` says by name why the last could
    not be.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Callable[[], None]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, Callable[[], None]] = {}
        self.problems: dict[str, str] = {}
        self.failed = 0

    def put(self, name: str, job: Callable[[], None]) -> None:
        """Have this done soon, by the name of what it writes."""
        self._jobs[name] = job
        self._failed.pop(name, None)
        if name not in self._tasks:
            self._tasks[name] = asyncio.get_running_loop().create_task(self._work(name))

    def put_again(self) -> None:
        """Have again done what failed, unless something newer came for the same file."""
        for name, job in list(self._failed.items()):
            if name not in self._tasks:
                self.put(name, job)

    def writes(self, name: str) -> bool:
        """Return whether something is still to be written."""
        return name in self._tasks

    async def close(self) -> None:
        """Wait until all is written."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values())

    async def _work(self, name: str) -> None:
        try:
            while (job := self._jobs.pop(name, None)) is not None:
                try:
                    await asyncio.to_thread(job)
                except OSError as error:
                    self._note(name, job, error.strerror or str(error))
                else:
                    if self.problems.pop(name, None) is not None:
                        log.info("kept_again", what=name)
        finally:
            del self._tasks[name]

    def _note(self, name: str, job: Callable[[], None], problem: str) -> None:
        self.failed += 1
        self._failed[name] = job
        if self.problems.get(name) != problem:  # once: a full disk has no room for many lines
            log.error("not_kept", what=name, problem=problem)
        self.problems[name] = problem
