"""What survives a restart, in the state directory: a file that is replaced whole.

A file that cannot be read is left out, and said so: the server then begins as a new one, which has
bound nothing and was ordered nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta

from headrace.topology.model import AdminState
from headrace.vip.plan.model import Phase

NAME = "vip.state"
LARGEST_BYTES = 4 * 1024**2
MOST_VIPS = 10_000
AGAIN_S = 5.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = structlog.get_logger("headrace.vip")

Text = Annotated[str, Meta(max_length=300)]
UnixTime = Annotated[float, Meta(ge=0, le=1e11)]
AddressText = Annotated[str, Meta(max_length=45)]


class KeptOrder(msgspec.Struct, frozen=True):
    """An operator's order to this server."""

    state: AdminState
    reason: Text = ""
    until: UnixTime | None = None
    force: bool = False
    by: Text = ""
    at: UnixTime = 0.0


class KeptVip(msgspec.Struct, frozen=True):
    """A VIP that the server was a candidate for; `until` is for one that it holds yet."""

    vip: AddressText
    owner: Text
    rank: Annotated[int, Meta(ge=0, le=1000)]
    until: UnixTime | None = None


class Kept(msgspec.Struct, frozen=True):
    """All of it. `bound` are the addresses that were bound in the run of the kernel `boot`;
    `drained_edge`: the edge was told to drain.
    """

    order: KeptOrder | None = None
    phase: Phase | None = None
    since: UnixTime = 0.0
    vips: Annotated[tuple[KeptVip, ...], Meta(max_length=MOST_VIPS)] = ()
    bound: Annotated[tuple[AddressText, ...], Meta(max_length=MOST_VIPS)] = ()
    boot: Text = ""
    drained_edge: bool = False


_decoder = msgspec.json.Decoder(Kept)


def boot_id() -> str:
    """Return what tells this run of the kernel from others; "" where it does not say."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def read_kept(directory: Path) -> Kept:
    """Return what was kept; nothing where it cannot be used."""
    path = directory / NAME
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            raise ValueError("it is too large")
        return _decoder.decode(data)
    except FileNotFoundError:
        return Kept()
    except (OSError, ValueError, RecursionError) as error:
        log.error("kept_file_unusable", file=str(path), problem=str(error)[:300])
        return Kept()


def write_kept(directory: Path, kept: Kept) -> None:
    """Keep it; it is on the disk when this returns. Raises OSError."""
    path = directory / NAME
    new = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.write(msgspec.json.encode(kept) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


class Keeper:
    """Keeps the newest value in the background, one write at a time. `problem` says why the last
    write failed ("": it did not), `failed` counts those that did.
    """

    def __init__(self, directory: Path, written: Kept) -> None:
        self._directory = directory
        self._written = self._wanted = written
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._again_s = 0.0
        self.failed = 0
        self.problem = ""

    @property
    def kept(self) -> Kept:
        """The value that is kept, or is being written."""
        return self._wanted

    def put(self, kept: Kept) -> None:
        """Keep this soon; what could not be written is tried again for as long as it is put."""
        loop = asyncio.get_running_loop()
        if kept == self._wanted and (not self.problem or loop.time() < self._again_s):
            return
        self._wanted = kept
        self._again_s = loop.time() + AGAIN_S
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._in_background())

    async def flush(self) -> None:
        """Return when the value is on the disk. Raises OSError."""
        async with self._lock:
            while self._written != (wanted := self._wanted):
                try:
                    await asyncio.to_thread(write_kept, self._directory, wanted)
                except OSError as error:
                    self.failed += 1
                    self.problem = error.strerror or str(error)
                    log.error("not_kept", problem=self.problem)
                    raise
                self._written, self.problem = wanted, ""

    async def close(self) -> None:
        """Wait until it is written, or cannot be."""
        if self._task is not None:
            await self._task
        await self._in_background()

    async def _in_background(self) -> None:
        with contextlib.suppress(OSError):
            await self.flush()
