"""Probes every server once in an interval: a small object through the whole way that a client's
request takes. Probes are spread over the interval; each has a deadline, and a bounded place.

What is this machine's fault is said of no server: a probe that could not be begun, or that met a
time in which this process did not run, has no result.
"""

from __future__ import annotations

import asyncio
import hashlib
import resource
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from headrace.feedback.observation import Outcome
from headrace.feedback.observe.agreement import Agreement
from headrace.feedback.observe.small_request import IdleSockets, Place, Result, SmallRequest
from headrace.feedback.observe.targets import Probe, Target, is_secure, port_for
from headrace.telemetry.own_requests import PROBE_AGENT

log = structlog.get_logger("headrace.feedback")

LARGEST_BYTES = 64 * 1024
STEP_S = 0.02
STALL_S = 0.1
"""When the loop wakes so much later than it wanted, this process did not run meanwhile."""

MOST_OPEN = 4096
MOST_LATE_KEPT = 4096


@dataclass(frozen=True, slots=True)
class ProbeTimes:
    """How often, and how long: see `[probing]`."""

    interval_s: float = 1.0
    timeout_s: float = 0.8
    slow_s: float = 0.5
    keep_alive: bool = False


OnResult = Callable[[str, Outcome, float | None, float | None], None]
"""Takes a server, how its probe ended, and the seconds to the first byte and to the last."""


class Prober:
    """Probes `targets` for `probes` until `run` is cancelled. Both may be replaced at any time.

    `late_s` has how much later than planned the latest probes began, `latest_s` the most of the
    last turn; `unmade` counts those that have no result, by this machine's fault.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        probes: Sequence[Probe],
        on_result: OnResult,
        times: ProbeTimes,
        ca: Path | None = None,
    ) -> None:
        self.probes = tuple(probes)
        self.times = times
        self.late_s: deque[float] = deque(maxlen=MOST_LATE_KEPT)
        self.latest_s = 0.0
        self.unmade = 0
        self._on_result = on_result
        self._tls = ssl.create_default_context(cafile=None if ca is None else str(ca))
        self._agreements: dict[Probe, Agreement] = {}
        self._idle = IdleSockets()
        self._running: set[SmallRequest] = set()
        self._silent: set[str] = set()
        self._ahead: set[str] = set()
        self._turn = 0
        self._stalled_s = -1.0
        self.targets = tuple(targets)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The servers that are probed."""
        return self._targets

    @targets.setter
    def targets(self, targets: Sequence[Target]) -> None:
        """Probe these from the next turn on, and forget the others."""
        self._targets = tuple(targets)
        self._names = frozenset(target.server for target in targets)
        for agreement in self._agreements.values():
            agreement.keep_only(self._names)
        self._idle.close()
        self._silent &= self._names
        self._ahead &= self._names

    async def run(self) -> None:
        """Probe until it is cancelled."""
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        try:
            while True:
                await self._probe_all(loop, next_s)
                wanted_s = next_s + self.times.interval_s
                await self._sleep_until(loop, wanted_s)
                # What could not be made up for in a whole interval is left out.
                next_s = wanted_s if loop.time() < wanted_s + self.times.interval_s else loop.time()
        finally:
            for request in tuple(self._running):
                request.cancel()
            self._running.clear()
            self._idle.close()

    async def _probe_all(self, loop: asyncio.AbstractEventLoop, began_s: float) -> None:
        """Begin one probe of each server, as its moment comes."""
        self._turn += 1
        targets, probes = self._targets, self.probes
        if not probes or not targets:
            return
        most, latest_s = _most_open(), 0.0
        step_s = self.times.interval_s / len(targets)
        for number, target in enumerate(targets):
            due_s = began_s + number * step_s
            if due_s > loop.time():
                await self._sleep_until(loop, due_s)
            late_s = max(0.0, loop.time() - due_s)
            self.late_s.append(late_s)
            latest_s = max(latest_s, late_s)
            if target.server in self._ahead:
                self._ahead.remove(target.server)  # it has been probed already
                continue
            if len(self._running) >= most:
                self.unmade += 1
            else:
                self._begin_safely(target, probes[(self._turn + number) % len(probes)])
        self.latest_s = latest_s

    def _begin_safely(self, target: Target, probe: Probe) -> None:
        try:
            self._begin(target, probe)
        except Exception:  # a fault of ours must not end the probes of all others
            self.unmade += 1
            log.exception("probe_failed", server=target.server)

    async def _sleep_until(self, loop: asyncio.AbstractEventLoop, wanted_s: float) -> None:
        """Sleep in short steps, so that a time in which nothing ran is noticed."""
        while (left_s := wanted_s - loop.time()) > 0:
            planned_s = loop.time() + min(left_s, STEP_S)
            await asyncio.sleep(min(left_s, STEP_S))
            if loop.time() - planned_s > STALL_S:
                self._stalled_s = loop.time()

    def _begin(self, target: Target, probe: Probe, tries: int = 1) -> None:
        address = target.addresses[(self._turn + tries) % len(target.addresses)]
        secure, port = is_secure(target, probe), port_for(target, probe)
        if port is None:
            return
        place = Place(address, port, self._tls if secure else None, probe.host if secure else None)
        digest = hashlib.sha256()
        request = SmallRequest(
            place,
            request_of(probe, keep_alive=self.times.keep_alive),
            digest.update,
            lambda result: self._ended(request, target, probe, tries, digest.digest(), result),
            largest_bytes=LARGEST_BYTES,
            idle=self._idle if self.times.keep_alive else None,
        )
        self._running.add(request)
        try:
            request.start(self.times.timeout_s)
        except Exception:
            self._running.discard(request)
            request.cancel()
            raise

    def _ended(
        self,
        request: SmallRequest,
        target: Target,
        probe: Probe,
        tries: int,
        digest: bytes,
        result: Result,
    ) -> None:
        self._running.discard(request)
        if result.outcome is None and not result.timed_out and tries < len(target.addresses):
            self._begin(target, probe, tries + 1)  # this machine has no IPv6, say
            return
        server = target.server
        if server not in self._names:
            return
        outcome = self._judged(server, probe, digest, result)
        timed = outcome in (Outcome.TIMEOUT, Outcome.SLOW)
        if outcome is None or (timed and request.began_s < self._stalled_s):
            self.unmade += 1
            return
        self._on_result(server, outcome, result.first_byte_s, result.total_s)
        if outcome is not Outcome.TIMEOUT:
            self._silent.discard(server)
        elif server not in self._silent:
            self._silent.add(server)
            self._probe_ahead(target)

    def _probe_ahead(self, target: Target) -> None:
        """Begin the next probe of a server that is silent for the first time: one more and it has
        failed. As many are made as else, this one only comes sooner.
        """
        probes = self.probes
        if probes and target.server not in self._ahead and len(self._running) < _most_open():
            self._ahead.add(target.server)
            self._begin_safely(target, probes[(self._turn + 1) % len(probes)])

    def _judged(self, server: str, probe: Probe, digest: bytes, result: Result) -> Outcome | None:
        """Return how a probe ended, by what came too."""
        if result.outcome is not Outcome.OK:
            if probe in self._agreements:
                self._agreements[probe].forget(server)
            return result.outcome
        if probe.sha256 is not None:
            right = digest.hex() == probe.sha256
        else:
            right = self._agreement(probe).is_right(server, digest)
        if not right:
            return Outcome.WRONG_BYTES
        slow = result.total_s is not None and result.total_s > self.times.slow_s
        return Outcome.SLOW if slow else Outcome.OK

    def _agreement(self, probe: Probe) -> Agreement:
        found = self._agreements.get(probe)
        if found is None:
            kept = {one: known for one, known in self._agreements.items() if one in self.probes}
            self._agreements = kept
            found = kept[probe] = Agreement()
        return found


def request_of(probe: Probe, *, keep_alive: bool) -> bytes:
    """Return the request for a probe's object."""
    end = "" if keep_alive else "Connection: close\r\n"
    return (
        f"GET {probe.path} HTTP/1.1\r\nHost: {probe.host}\r\nUser-Agent: {PROBE_AGENT}\r\n"
        f"Accept: */*\r\n{end}\r\n"
    ).encode()


def _most_open() -> int:
    """Return how many probes may run at once: the descriptors are not theirs alone."""
    return min(MOST_OPEN, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
