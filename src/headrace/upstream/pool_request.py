"""One request to a pool: each try carried out, timed and accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from headrace.http.message import Field
from headrace.http.validators import CONDITIONS
from headrace.reasons import of_status
from headrace.upstream.attempt_log import AttemptLog, Tried
from headrace.upstream.errors import UNPROVOKED, Failure, OriginError
from headrace.upstream.outliers import Cause
from headrace.upstream.pool import Place
from headrace.upstream.response import OriginResponse
from headrace.upstream.retry import Attempts, FailureOrStatus, Try


class Events(Protocol):
    """What is reported of tries, for metrics and the log. The log says which pool and origin."""

    def tried(self, attempt_log: AttemptLog) -> None:
        """Note that a request is sent to an origin."""

    def waited(self, attempt_log: AttemptLog, seconds: float) -> None:
        """Note that a try's response head came, or that it failed, after so long."""

    def failed(self, attempt_log: AttemptLog, origin: str, reason: str, problem: str) -> None:
        """Note that it brought nothing of use."""

    def retried(self, reason: str) -> None:
        """Report one more try, before anything was sent on."""

    def switched(self, attempt_log: AttemptLog, reason: str, at: int) -> None:
        """Report that another origin continues from byte `at` of the body."""

    def switch_failed(self, attempt_log: AttemptLog, reason: str, at: int) -> None:
        """Note that no origin could continue."""

    def hedged(self, attempt_log: AttemptLog, server: str) -> None:
        """Note that the next is asked too, since a server of the network is slow."""

    def ejected(self, attempt_log: AttemptLog, origin: str) -> None:
        """Note that an origin is left alone for a while."""


def word(reason: FailureOrStatus) -> str:
    """Return a reason as metrics and the log have it."""
    return reason.value if isinstance(reason, Failure) else of_status(reason)


def fits(status: int, fields: list[Field]) -> bool:
    """Return whether a status can be the answer: 304 says nothing without a condition, nor 416
    without a range (RFC 9110 sections 15.4.5 and 15.5.17).
    """
    if status == 304:
        return any(name in CONDITIONS for name, _ in fields)
    return status != 416 or any(name == b"range" for name, _ in fields)


def place_for(attempts: Attempts, origin: int, events: Events, attempt_log: AttemptLog) -> Place:
    """Note that a request is sent to an origin, and return the place that it takes there."""
    attempt_log.origin = attempts.state.pool.origins[origin].name
    attempt_log.tries += 1
    events.tried(attempt_log)
    return attempts.state.states[origin].take_place()


@dataclass(slots=True)
class PoolRequest:
    """What is asked of a pool, and how its origins are used for it.

    `ask` carries out one try: it returns the response, or raises OriginError. `started` is the
    place of one that runs already.
    """

    attempts: Attempts
    method: bytes
    fields: list[Field]
    ask: Callable[[int, list[Field]], Awaitable[OriginResponse]]
    events: Events
    loop: asyncio.AbstractEventLoop
    attempt_log: AttemptLog
    started: Place | None = None

    def origin_name(self, index: int) -> str:
        """Return the name of an origin, by its number."""
        return self.attempts.state.pool.origins[index].name

    async def send(self, step: Try, fields: list[Field]) -> OriginResponse:
        """Carry out a try, within its time. Raises OriginError.

        It takes one of the origin's places, which comes back when the response ends or is closed.
        """
        if step.pause_s:
            await asyncio.sleep(step.pause_s)
        attempt_log, attempts = self.attempt_log, self.attempts
        self._name_group(step.origin)
        place, self.started = self.started, None
        if place is None:
            place = place_for(attempts, step.origin, self.events, attempt_log)
            began_s = self.loop.time()
        else:
            began_s = attempts.began
        try:
            if step.limit_s is None:
                response = await self.ask(step.origin, fields)
            else:
                async with asyncio.timeout(step.limit_s):
                    response = await self.ask(step.origin, fields)
        except TimeoutError:
            place.give_back()
            raise OriginError(
                Failure.HEAD_TIMEOUT,
                f"no response within {self.attempts.retry.total_s:g} s in all",
            ) from None
        except BaseException:
            place.give_back()
            raise
        finally:
            self.events.waited(attempt_log, self.loop.time() - began_s)
        response.when_ended(place.give_back)
        if not fits(response.status, fields):
            response.close()
            raise OriginError(
                Failure.BAD_HEAD, f"answered {response.status}, which nothing asked for"
            )
        return response

    def _name_group(self, index: int) -> None:
        state = self.attempts.state
        self.attempt_log.pool = state.group_of(index)
        self.attempt_log.server = state.is_server(index)

    def blame(self, origin: int, reason: FailureOrStatus, problem: str) -> None:
        """Note a failure of an origin."""
        name = self.origin_name(origin)
        self._name_group(origin)
        self.attempt_log.trail.append(Tried(name, word(reason)))
        self.events.failed(self.attempt_log, name, word(reason), problem)
        if isinstance(reason, Failure):
            troubled = reason not in (Failure.OTHER_BODY, Failure.NO_ORIGIN, Failure.NOT_SIGNED)
        else:
            troubled = self.attempts.state.blames(origin, reason)
        cause = None
        if reason not in UNPROVOKED:
            cause = Cause(self.attempts.key, self.attempt_log.client_network)
        if troubled and self.attempts.state.failed(origin, self.loop.time(), cause):
            self.events.ejected(self.attempt_log, name)
