"""The running part of what a server learns: its clock, its file, and what others are told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from headrace.bgp.events import RoutersChanged, SpeakerEvent
from headrace.errors import HeadraceError
from headrace.node.network.last_good import NAME as LAST_GOOD
from headrace.node.network.last_good import read_last_good
from headrace.topology.announced_document import Approved
from headrace.topology.learnt_document import encode_learnt
from headrace.topology.model import Topology
from headrace.topology.snapshot import NetworkSnapshot, version_of
from headrace.vip.events import Event, Events
from headrace.vip.learn.history import (
    LARGEST_BYTES,
    Entry,
    KeptError,
    KeptLearning,
    decode_kept,
)
from headrace.vip.learn.learning import Learning, LearningCounts
from headrace.vip.learn.status import LearningStatus

NAME = "learnt.state"
TICK_S = 1.0
TRIES = 10
MOST_OWNED = 500_000
"""So many prefixes of networks are kept in memory, to tell the clients of others. With more only
nodes tell, when they take what was learnt."""

log = structlog.get_logger("headrace.vip")


class RunningLearning:
    """`learning` in this process.
    `approved_elsewhere` is what was approved at the other servers of the site, by server.
    """

    def __init__(
        self,
        server: str,
        directory: Path,
        events: Events,
    ) -> None:
        self.failed = 0
        self.approved_elsewhere: Mapping[str, tuple[Approved, ...]] = {}
        self._directory = directory
        self._events = events
        self._takes = False
        self._learning = Learning(server, read_kept(directory))
        self._written = self._learning.keep()
        self._document: tuple[str, bytes] | None = None
        self._version = ""
        self._tasks: list[asyncio.Task[None]] = []

    def adopt_network(self, network: NetworkSnapshot) -> None:
        """Learn by this network from now on."""
        self._version = network.version
        self._described(network.topology, whole=False)
        if self._learning.learns:
            loop = asyncio.get_running_loop()
            self._tasks = [one for one in self._tasks if not one.done()]
            self._tasks.append(loop.create_task(self._find_owners(network.version)))

    def start(self) -> None:
        """Let time pass from now on."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._tick_forever()))

    async def close(self) -> None:
        """Stop."""
        for one in self._tasks:
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self._keep()

    def routers_are(self, changed: RoutersChanged) -> None:
        """Know the AS number of each router from now on, and whether anything of them is taken."""
        self._learning.routers, self._takes = changed.routers, changed.takes

    def heard(self, event: SpeakerEvent) -> None:
        """Take in what the speaker reports."""
        self._learning.heard(event, time.time())

    def document(self) -> tuple[str, bytes]:
        """Return what nodes are told, and the digest that stands for it."""
        if self._document is None:
            document = self._learning.document()
            self._document = document.digest, encode_learnt(document)
        return self._document

    def status(self) -> LearningStatus:
        """Return what there is to say."""
        found = self._learning.status()
        if not self._learning.learns:
            found.problem = "no coverage of the description is learnt at this site"
        elif not self._takes:
            found.problem = "nothing of a router is taken: set most_prefixes of [[router]]"
        return found

    def counts(self) -> LearningCounts:
        """Return what metrics show."""
        return self._learning.counts()

    def approved(self) -> tuple[Approved, ...]:
        """Return what was approved here lately, for the other servers of the site."""
        return self._learning.approved(time.time())

    def approve(self, coverage: str, digest: str, by: str) -> Entry:
        """Take the change that waits. Raises NotProposedError."""
        return self._note(self._learning.approve(coverage, digest, by, time.time()))

    def reject(self, coverage: str, digest: str, by: str) -> Entry:
        """Leave the change that waits. Raises NotProposedError."""
        return self._note(self._learning.reject(coverage, digest, by, time.time()))

    def _described(self, topology: Topology, *, whole: bool) -> None:
        self._learning.described(topology, time.time(), whole=whole)
        self._document = None

    async def _find_owners(self, version: str) -> None:
        """Learn by the same network with its prefixes, which a worker does not have."""
        for _ in range(TRIES):
            await asyncio.sleep(TICK_S)  # the supervisor keeps it after it has shared it
            if version != self._version:
                return
            whole = await asyncio.to_thread(read_whole, self._directory, version)
            if whole is not None and version == self._version:
                if sum(len(one.prefixes) for one in whole.networks) <= MOST_OWNED:
                    self._described(whole, whole=True)
                return

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                now = time.time()
                for happened in self._learning.tick(now):
                    for entry in happened:
                        self._note(entry)
                    await asyncio.sleep(0)
                for entry in self._learning.follow(self.approved_elsewhere, now):
                    self._note(entry)
                await self._keep()
            except OSError as error:
                self.failed += 1
                if self.failed == 1:
                    log.error("learnt_not_kept", problem=error.strerror)
            except Exception:  # a fault of ours: what was learnt stays
                log.exception("learning_failed")

    def _note(self, entry: Entry) -> Entry:
        self._document = None
        self._events.add(Event(entry.at, f"coverage_{entry.kind}", entry.coverage, words_of(entry)))
        return entry

    async def _keep(self) -> None:
        """Keep what is to survive a restart. Raises OSError."""
        kept = self._learning.keep()
        if kept != self._written:
            await asyncio.to_thread(write_kept, self._directory, kept)
            self._written, self.failed = kept, 0


def words_of(entry: Entry) -> str:
    """Return an entry of the history in words."""
    said = [entry.detail] if entry.detail else []
    if entry.digest:
        said.append(
            f"{entry.digest}: {entry.added} prefixes come, {entry.removed} go, "
            f"{100 * entry.share:.1f} % of the addresses"
        )
    if entry.by:
        said.append(f"by {entry.by}")
    return "; ".join(said)


def read_whole(directory: Path, version: str) -> Topology | None:
    """Return the description with its prefixes, if it is the last good one that was kept."""
    try:
        found = read_last_good(directory / LAST_GOOD)
    except (HeadraceError, OSError):
        return None
    return found if version_of(found) == version else None


def read_kept(directory: Path) -> KeptLearning:
    """Return what was kept; nothing where it cannot be used."""
    path = directory / NAME
    try:
        with path.open("rb") as file:
            return decode_kept(file.read(LARGEST_BYTES + 1))
    except FileNotFoundError:
        return KeptLearning()
    except (OSError, KeptError) as error:
        log.error("kept_file_unusable", file=str(path), problem=str(error)[:300])
        return KeptLearning()


def write_kept(directory: Path, kept: KeptLearning) -> None:
    """Keep it; it is on the disk when this returns. Raises OSError."""
    path = directory / NAME
    new = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.write(msgspec.json.encode(kept))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
