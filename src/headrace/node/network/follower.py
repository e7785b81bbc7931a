"""The supervisor's part: watches description and view, and hands what is in force to the workers.

A description that cannot be used changes nothing but a count and the log; the one in force stays,
also over a restart, since it is kept on disk. A file must have been still for a moment before it is
read, so that one written in place is not taken in half.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import structlog

from headrace.config.network_member import NetworkMember
from headrace.errors import HeadraceError
from headrace.node.network.compiling import Compiled, SealedFile, compiled
from headrace.node.network.files import Signatures, signatures_of
from headrace.node.network.last_good import NAME, keep_last_good
from headrace.node.network.learnt_pull import LearntPuller
from headrace.node.network.outcome import Outcome
from headrace.node.network.sharing import Receiver, Sharing
from headrace.node.network.view_file import ViewFile
from headrace.node.network.view_pull import ViewPuller
from headrace.node.network.view_socket import ViewSocket
from headrace.node.network.views import Views, not_online
from headrace.telemetry.network import NetworkFacts, ViewFacts
from headrace.topology.membership import missing_server
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import NO_VIEW, View
from headrace.topology.view_age import STEPS
from headrace.topology.view_codec import ViewError

CHECK_S = 1.0
TRIES_AT_START = 5
TRY_AGAIN_S = 0.2
KEEP_AGAIN_S = 60.0
LONGEST_PROBLEM = 16 * 1024
MOST_NAMED = 20

log = structlog.get_logger("headrace.network")


class NetworkFileError(HeadraceError):
    """Neither the description nor the last good one can be used."""


class NetworkFollower:
    """What is in force. `open` comes first, `follow` runs until it is cancelled, then `close`."""

    def __init__(
        self, member: NetworkMember, kept: Path, network: NetworkSnapshot, file: SealedFile
    ) -> None:
        self._member = member
        self._kept_at = kept
        self._network = network
        self._file = file
        self._since = time.time()
        self._from_last_good = False
        self._kept = False
        self._keep_again_s = 0.0
        self._seen: Signatures = {}
        self._settling: Signatures | None = None
        self._refused = 0
        self._last_refusal = ""
        self._last_refused_at: float | None = None
        self._file_refused = False
        self._views = Views(member.view_max_age_s, network.topology.name)
        places = {"file": member.view, "socket": member.view_socket}
        self._views.places = {name: str(path) for name, path in places.items() if path is not None}
        self._view_file = None if member.view is None else ViewFile(member.view)
        self._view_socket: ViewSocket | None = None
        self._view_changed = asyncio.Event()
        self._not_online: dict[str, str] = {}
        self._learnt: LearntPuller | None = None
        if member.learn_coverage and member.secret_file is not None:
            self._learnt = LearntPuller(
                lambda: self._network.topology, member.secret_file, member.feedback_ca
            )
        self.sharing = Sharing(file)

    @classmethod
    async def open(cls, member: NetworkMember, state_dir: Path) -> Self:
        """Take the description, or the last good one in its place, and the view.

        Raises HeadraceError or OSError; NetworkFileError when neither can be used.
        """
        kept_at = state_dir / NAME
        found = await _first(member.file)
        problem = found.outcome.problem or _missing(member, found)
        used = found
        if problem:
            used = await _instead(member, kept_at, problem)
        assert used.network is not None
        assert used.file is not None
        follower = cls(member, kept_at, used.network, used.file)
        follower._seen = found.outcome.files
        if problem:
            follower._from_last_good = follower._kept = True
            follower._note_refusal(problem)
        else:
            await follower._keep()
        await follower._read_view_file()
        if member.view is not None and not member.view.exists():
            log.warning("view_file_missing", file=str(member.view))
        if member.view_socket is not None:
            follower._view_socket = await ViewSocket.open(
                member.view_socket, follower._offered, follower._refused_view
            )
        follower._share_view()
        return follower

    def welcome(self, worker: Receiver) -> None:
        """Tell a new worker what is in force."""
        self.sharing.welcome(worker)

    async def follow(self) -> None:
        """Watch the files for as long as the node runs."""
        member, parts = self._member, [_repeat(self._check_description), _repeat(self._check_view)]
        if member.view_from and member.secret_file is not None:
            puller = ViewPuller(
                member.view_from,
                member.secret_file,
                lambda: self._views.after(time.time()),
                self._offered,
                member.feedback_ca,
            )
            parts.append(puller.run())
        if self._learnt is not None:
            parts.append(self._learnt.run())
        await asyncio.gather(*parts)

    async def close(self) -> None:
        """Close the socket for views."""
        if self._view_socket is not None:
            await self._view_socket.close()

    def facts(self) -> NetworkFacts:
        """Return what there is to report."""
        now, views = time.time(), self._views
        age_s = views.age_s(now)
        view = None
        if age_s is not None:
            view = ViewFacts(
                views.said.version,
                views.said.made_at,
                age_s,
                views.source,
                views.taken_at,
                views.step / STEPS,
                self._not_online,
            )
        return NetworkFacts(
            version=self._network.version,
            source="last_good" if self._from_last_good else "file",
            since=self._since,
            server=self._member.me,
            last_good_kept=self._kept,
            refused=self._refused,
            last_refusal=self._last_refusal,
            last_refused_at=self._last_refused_at,
            workers_behind=self.sharing.behind,
            view=view,
            views_refused=dict(views.refused),
            last_view_refusal=views.last_refusal,
            file_refused=self._file_refused,
            learnt=None if self._learnt is None else self._learnt.facts(),
        )

    # The description.

    async def _check_description(self) -> None:
        await asyncio.sleep(CHECK_S)
        if self._moved_and_still(await asyncio.to_thread(signatures_of, self._seen)):
            await self._take()
        elif not self._kept and time.monotonic() >= self._keep_again_s:
            await self._keep()  # the disk was full, say

    def _moved_and_still(self, found: Signatures) -> bool:
        """Return whether other files are there than those read, and are the same as a moment
        ago.
        """
        if found == self._seen:
            self._settling = None
            return False
        still = found == self._settling
        self._settling = found
        return still

    async def _take(self) -> None:
        try:
            found = await compiled(self._member.file)
        except (HeadraceError, OSError) as error:
            self._settling = None  # not the file's fault: it is tried again
            self._note_refusal(str(error))
            return
        if found.outcome.torn:
            return
        self._seen, self._settling = found.outcome.files, None
        problem = found.outcome.problem or _missing(self._member, found)
        if problem:
            self._note_refusal(problem)
            return
        assert found.network is not None
        assert found.file is not None
        same = found.network.version == self._network.version
        if same and not self._from_last_good:
            if self._file_refused:
                self._file_refused = False
                log.info(
                    "network_sound_again",
                    file=str(self._member.file),
                    in_force=self._network.version,
                )
            return
        self._from_last_good = self._file_refused = False
        self._since = time.time()
        log.info("network_taken", version=found.network.version, file=str(self._member.file))
        if not same:
            self._network, self._file = found.network, found.file
            self._views.network = found.network.topology.name
            view = self._views.in_force(found.network.topology)
            self.sharing.share(file=found.file, view=view)
            self._note_states(view)
        await self._keep()

    async def _keep(self) -> None:
        """Keep the description in force on disk; without it the next start needs a good file."""
        try:
            await asyncio.to_thread(keep_last_good, self._kept_at, self._file.descriptor)
        except OSError as error:
            self._kept = False
            self._keep_again_s = time.monotonic() + KEEP_AGAIN_S
            log.error("network_not_kept", file=str(self._kept_at), problem=str(error))
        else:
            self._kept = True

    def _note_refusal(self, problem: str) -> None:
        if len(problem) > LONGEST_PROBLEM:
            problem = f"{problem[:LONGEST_PROBLEM]}…"
        self._refused += 1
        self._last_refusal, self._last_refused_at = problem, time.time()
        self._file_refused = True
        log.error(
            "network_refused",
            file=str(self._member.file),
            problem=problem,
            in_force=self._network.version,
        )

    # The view.

    async def _check_view(self) -> None:
        await asyncio.sleep(CHECK_S / 4)  # so often at most the workers get a new one
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CHECK_S):
                await self._view_changed.wait()
        changed = self._view_changed.is_set()
        self._view_changed.clear()
        changed |= await self._read_view_file()
        changed |= self._views.grow_older(time.time())
        if changed:
            self._share_view()

    async def _read_view_file(self) -> bool:
        file = self._view_file
        if file is None:
            return False
        try:
            data = await asyncio.to_thread(file.read_if_changed)
        except ViewError as error:
            self._views.refuse(error, "file", time.time())
            return False
        if data is None:
            return False
        with contextlib.suppress(ViewError):  # counted and logged
            return self._views.offer(data, "file", time.time())
        return False

    def _offered(self, data: bytes, source: str = "socket") -> bool:
        taken = self._views.offer(data, source, time.time())
        if taken:
            self._view_changed.set()
        return taken

    def _refused_view(self, error: ViewError) -> None:
        self._views.refuse(error, "socket", time.time())

    def _share_view(self) -> None:
        if self._views.said is not NO_VIEW:
            view = self._views.in_force(self._network.topology)
            self.sharing.share(view=view)
            self._note_states(view)

    def _note_states(self, view: View) -> None:
        """Log which servers the view has in another state than before."""
        found = not_online(view, self._network.topology)
        before, self._not_online = self._not_online, found
        changed = sorted({name for name, _ in before.items() ^ found.items()})
        if changed:
            states = {name: found.get(name, "online") for name in changed[:MOST_NAMED]}
            more = {"more": len(changed) - MOST_NAMED} if len(changed) > MOST_NAMED else {}
            log.warning(
                "view_states_changed", servers=states, view=self._views.said.version, **more
            )


async def _repeat(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await step()
        except (HeadraceError, OSError) as error:
            log.error("network_not_followed", problem=str(error))
        except Exception:  # a fault of ours, or no memory: nobody else would begin again
            log.exception("network_not_followed")


async def _first(path: Path) -> Compiled:
    """Return what comes of a description when the node starts.

    Where it could not even be tried, the last good one may help, and it is tried again soon.
    """
    for _ in range(TRIES_AT_START):
        try:
            found = await compiled(path)
        except (HeadraceError, OSError) as error:
            return Compiled(Outcome(str(error), {str(path): None}))
        if not found.outcome.torn:
            return found
        await asyncio.sleep(TRY_AGAIN_S)
    return found


async def _instead(member: NetworkMember, kept_at: Path, problem: str) -> Compiled:
    """Return the last good description. Raises NetworkFileError."""
    if not kept_at.exists():
        raise NetworkFileError(problem)
    found = await compiled(kept_at, last_good=True)
    reason = found.outcome.problem or _missing(member, found)
    if reason:
        log.error("network_last_good_refused", file=str(kept_at), problem=reason)
        raise NetworkFileError(f"{problem}\nThe last good description does not help: {reason}")
    assert found.network is not None
    log.error("network_last_good_used", file=str(kept_at), version=found.network.version)
    return found


def _missing(member: NetworkMember, found: Compiled) -> str:
    """Return what is wrong where the description lacks the server that the node is; else ""."""
    if found.network is None:
        return ""
    text = missing_server(found.network.topology, member.me)
    return text and f"{member.file}: {text}"
