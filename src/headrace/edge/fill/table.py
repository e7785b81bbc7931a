"""Join or begin: the one place that decides who fills a slice.

For each slice of a key's variant one process at a time holds a part of the store: that part is the
permit to write. Whoever wants the slice joins the fill that runs here, follows the part that
another worker writes, or gets the permit and begins. Between the look into the store that made a
request want a slice and the moment it gets the permit, another may have filled it: so the store is
asked again with the permit in hand (`still_wanted`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from headrace.cache.slice_requests import can_be_completed
from headrace.edge.body.growing_slice import GrowingSlice, HolderDied, SliceFailed
from headrace.edge.body.remote_slice import RemoteSlice
from headrace.edge.fill.asked import FillRequest
from headrace.edge.fill.backoff import Tries
from headrace.edge.fill.begun import Asking, Straight
from headrace.edge.fill.environment import FillEnvironment
from headrace.edge.fill.fill import Fill
from headrace.edge.fill.refs import FillRefs
from headrace.edge.fill.result import Failed, Filled, Restart, Result, StillWaiting, Uncacheable
from headrace.reasons import Reason
from headrace.store import Busy, Claim, Part, PartFollower, PartPhase, StoreError
from headrace.upstream.errors import TIMEOUTS

_TIMEOUT_WORDS = frozenset(failure.value for failure in TIMEOUTS)


@dataclass(frozen=True, slots=True)
class Begun:
    """This request began the fill."""

    fill: Fill


@dataclass(frozen=True, slots=True)
class Joined:
    """Another request of this worker began it."""

    fill: Fill


@dataclass(frozen=True, slots=True)
class Followed:
    """Another worker writes the slice."""

    remote: RemoteSlice


class Changed:
    """The slice is there by now, or somebody was at it just now: look again."""


class Unstorable:
    """The store gives no part to write into."""


class Exhausted:
    """The request has begun as many fills as it may, and none brought anything."""


class Refused:
    """The client's network has no room for another fill."""


Entry = Begun | Joined | Followed | Changed | Unstorable | Exhausted | Refused


class Table:
    """The fills of one worker, and what it follows of other workers' fills."""

    def __init__(self, environment: FillEnvironment) -> None:
        self._environment = environment
        self._fills: dict[tuple[bytes, int], Fill] = {}
        self._streams: dict[bytes, Fill] = {}
        self._growing: dict[tuple[bytes, int], tuple[GrowingSlice, Fill]] = {}
        self._remotes: dict[tuple[bytes, int], RemoteSlice] = {}
        self._straight: dict[bytes, Straight] = {}  # by the name of the part, which is of slice 0

    def join_or_begin(
        self,
        asked: FillRequest,
        refs: FillRefs,
        tries: Tries,
        still_wanted: Callable[[], bool],
        *,
        owned: bool,
        storable_only: bool = True,
    ) -> Entry:
        """Return how a request comes to the slice that it wants first. What is joined, followed
        or begun is held by `refs`.

        `still_wanted` looks into the store again; what it raises is raised here. `owned`: an
        answer that may not be stored is of use to this request. Without `storable_only` a fill
        begins even if the store gives no part; its bytes then stay in memory for those who follow.
        """
        if self._straight and not asked.number and asked.name in self._straight:
            self._straight[asked.name].hand_over()
        running = self._holds_permit(asked.name, asked.number)
        if running is not None:
            refs.hold(running)
            return Joined(running)
        part = self._part(asked.name, asked.number)
        if isinstance(part, Busy):
            remote = self._follow(asked.name, asked.number, part)
            if remote is None:
                return Changed()
            refs.follow(remote)
            return Followed(remote)
        if part is None and storable_only:
            return Unstorable()
        return self._begin_own(asked, part, refs, tries, still_wanted, owned=owned)

    def begin_beside(
        self,
        asked: FillRequest,
        refs: FillRefs,
        tries: Tries,
        still_wanted: Callable[[], bool],
    ) -> Begun | Changed | Exhausted | Refused:
        """Begin a fill without a permit, for the permit is with a fill of another representation.

        What it brings stays in memory for those who follow, as long as that is so.
        """
        return self._begin_own(asked, None, refs, tries, still_wanted, owned=False)

    def begin_unwatched(self, asked: FillRequest, still_wanted: Callable[[], bool]) -> None:
        """Begin a fill that no one waits for, unless one runs anywhere."""
        if self._environment.draining or self._holds_permit(asked.name, asked.number) is not None:
            return
        part = self._part(asked.name, asked.number)
        if part is None or isinstance(part, Busy):
            return
        fill: Fill | None = None
        try:
            if still_wanted():
                fill = self.begin(asked, part, owned=False, watched=False)
        finally:
            if fill is None:
                part.close()

    def begin(
        self, asked: FillRequest, part: Part | None, *, owned: bool, watched: bool
    ) -> Fill | None:
        """Start a fill; None when the client's network has no room for it.

        It takes over `part`, unless there is no room. `owned`: an answer that may not be stored is
        of use to the request that begins this. `watched`: somebody will hold it at once.
        """
        environment, network = self._environment, asked.network
        if not environment.places.take(network):
            environment.metrics.fills_refused += 1
            return None
        if not watched and not environment.unwatched.take(network):
            environment.places.give(network)
            return None
        return Fill(environment, self, asked, part, owned=owned, counted=not watched)

    # For misses on the straight way.

    def permit(self, name: bytes) -> Claim | None:
        """Return the permit to store the whole of what is asked for by this name; None when another
        has it, or is to be told that one waits for it. Raises OSError.
        """
        if name in self._straight or (name, 0) in self._fills:
            return None
        return self._environment.store.permit(name)

    def enter(self, name: bytes, straight: Straight) -> None:
        """Have who wants the same find this miss, which holds the permit, until `strike_out`."""
        self._straight[name] = straight

    def strike_out(self, name: bytes) -> None:
        """Forget a straight miss."""
        self._straight.pop(name, None)

    def take_up(self, asked: FillRequest, claim: Claim, asking: Asking, *, owned: bool) -> Fill:
        """Continue a straight miss, with its permit and its place; whoever waits holds it. What it
        brings stays in memory for those, if the store gives no part.
        """
        found: Part | Busy | None = None
        try:
            found = self._part(asked.name, 0, claim)
        except StoreError as error:
            self._environment.store_trouble(error)
        part = None if isinstance(found, Busy) else found
        return Fill(self._environment, self, asked, part, owned=owned, counted=False, asking=asking)

    def hand_over_all(self) -> None:
        """Have fills continue all straight misses."""
        for straight in list(self._straight.values()):
            straight.hand_over()

    def close(self) -> None:
        """Break off all straight misses; fills are tasks of the environment."""
        for straight in list(self._straight.values()):
            straight.close()

    def is_being_filled(self, name: bytes, number: int) -> bool:
        """Return whether some worker holds the permit for a slice. Raises OSError, StoreError."""
        part = self._environment.store.begin_part(name, number)
        if isinstance(part, Busy):
            return True
        part.close()
        return False

    async def result(
        self, entry: Begun | Joined | Followed, wait_s: float
    ) -> Result | StillWaiting:
        """Wait for what comes of a fill; no longer than `wait_s` for one that another began."""
        match entry:
            case Begun(fill):
                return await fill.brought()
            case Joined(fill):
                try:
                    async with asyncio.timeout(wait_s):
                        return await fill.brought()
                except TimeoutError:
                    return StillWaiting()
            case Followed(remote):
                return await _remote_result(remote, wait_s)

    # For those who need one slice of a known representation.

    def growing(self, version: bytes, number: int) -> tuple[GrowingSlice, Fill] | None:
        """Return a slice that this worker writes now, and its fill."""
        return self._growing.get((version, number))

    def heading_for(self, version: bytes, number: int) -> Fill | None:
        """Return the fill that will soon come to a slice."""
        fill = self._streams.get(version)
        return fill if fill is not None and fill.slices.heads_for(number) else None

    def running(self, name: bytes, number: int) -> Fill | None:
        """Return the fill of this worker that began with a slice of a key's variant."""
        return self._fills.get((name, number))

    @property
    def entries(self) -> int:
        """How many entries there are: none when no fill runs."""
        return len(self._fills) + len(self._streams) + len(self._growing) + len(self._straight)

    # What fills report: see `Books`.

    def began(self, fill: Fill) -> None:
        """See `Books`."""
        self._fills[fill.asked.name, fill.asked.number] = fill

    def streams(self, fill: Fill) -> None:
        """See `Books`."""
        self._streams.setdefault(fill.slices.version, fill)

    def writes(self, fill: Fill, growing: GrowingSlice) -> None:
        """See `Books`."""
        self._growing[fill.slices.version, growing.number] = (growing, fill)

    def wrote(self, fill: Fill, number: int) -> None:
        """See `Books`."""
        self._growing.pop((fill.slices.version, number), None)

    def ended(self, fill: Fill) -> None:
        """See `Books`."""
        name = (fill.asked.name, fill.asked.number)
        if self._fills.get(name) is fill:
            del self._fills[name]
        if self._streams.get(fill.slices.version) is fill:
            del self._streams[fill.slices.version]

    # Permits.

    def _holds_permit(self, name: bytes, number: int) -> Fill | None:
        """Return the fill of this worker that whoever wants a slice has to wait for.

        One whose slice is stored has given the permit back, as others see it too, however long it
        still writes what comes behind: what is stored can be validated, or fetched again where it
        was purged or lost. Without a strong validator that would be the whole once more.
        """
        fill = self._fills.get((name, number))
        if fill is None or not fill.slices.first_is_stored:
            return fill
        stored = fill.slices.stored
        return None if stored is not None and can_be_completed(stored) else fill

    def _part(self, name: bytes, number: int, claim: Claim | None = None) -> Part | Busy | None:
        """Return the permit to write a slice; None when the store is in trouble. Raises
        StoreError.
        """
        try:
            return self._environment.store.begin_part(name, number, claim)
        except OSError as error:
            self._environment.store_trouble(error)
            return None

    def _begin_own(
        self,
        asked: FillRequest,
        part: Part | None,
        refs: FillRefs,
        tries: Tries,
        still_wanted: Callable[[], bool],
        *,
        owned: bool,
    ) -> Begun | Changed | Exhausted | Refused:
        """Begin a fill for a request, which holds it by `refs`; `part` is taken over or closed."""
        fill: Fill | None = None
        try:
            if not still_wanted():
                return Changed()
            if not tries.take(asked.number):
                return Exhausted()
            fill = self.begin(asked.repeated(again=tries.again), part, owned=owned, watched=True)
        finally:
            if fill is None and part is not None:
                part.close()
        if fill is None:
            return Refused()
        refs.hold(fill, owner=owned)
        return Begun(fill)

    def _follow(self, name: bytes, number: int, busy: Busy) -> RemoteSlice | None:
        """Follow the part that another process writes; None when it is gone already.

        Whoever gets it keeps it by `FillRefs.follow`, else it is polled until its writer ends.
        """
        known = self._remotes.get((name, number))
        if known is not None and known.usable:
            return known
        follower = PartFollower.open(busy.path) or busy.unseen()
        if follower is None:
            return None
        remote = RemoteSlice(self._environment.loop, number, follower)
        self._remotes[name, number] = remote

        def forget(_task: asyncio.Task[None]) -> None:
            if self._remotes.get((name, number)) is remote:
                del self._remotes[name, number]

        remote.polling.add_done_callback(forget)
        return remote


async def _remote_result(remote: RemoteSlice, wait_s: float) -> Result | StillWaiting:
    """Return what another worker's fill brings."""
    try:
        phase = await remote.head(wait_s)
    except TimeoutError:
        return StillWaiting()
    except HolderDied:
        return Restart()
    except SliceFailed:
        phase = remote.phase
    meta = remote.follower.meta
    match phase:
        case PartPhase.BODY | PartPhase.COMPLETE if meta is not None:
            return Filled(meta, remote)
        case PartPhase.UNCACHEABLE:
            return Uncacheable(None, 0, Reason.UNCACHEABLE)
        case PartPhase.FAILED:
            reason = remote.follower.reason.decode("ascii", "replace")
            return Failed(504 if reason in _TIMEOUT_WORDS else 502, reason)
        case _:
            return Restart()
