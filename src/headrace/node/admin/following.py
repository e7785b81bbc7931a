"""GET /log: requests as they end, as lines of JSON, for as long as the client reads.

The admin API asks the workers for more when what it has is written, so a slow reader makes the
workers' bounded queues drop lines; nothing else waits. Between lines of requests come those about
the stream itself: `{"dropped": …, "unexamined": …}` when that happened, with `silent` when other
workers than before do not answer, and an empty line now and then, by which a reader that is gone
is noticed.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.node.admin.problem import ProblemError
from headrace.node.live.messages import Follow, Leave, Lines
from headrace.node.running import Node
from headrace.telemetry.filter import parse_filter
from headrace.telemetry.filter_words import FilterError
from headrace.telemetry.watch import MOST_FOLLOWERS

ASK_EVERY_S = 0.2
ANSWER_S = 1.0
"""For so long a worker that hangs keeps back the lines of the others."""
QUIET_S = 1.0  # an empty line after so long without another
MOST_LINES = 1_000_000
MOST_LINES_PER_S = 1000
USUAL_LINES_PER_S = 200


class FollowRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to follow. `rate` is lines a second of each worker."""

    filter: Annotated[str, Meta(description="Which of them: see the manual.")] = ""
    limit: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_LINES)] | None,
        Meta(description="End after so many lines; without it, when the client goes."),
    ] = None
    rate: Annotated[
        int, Meta(ge=1, le=MOST_LINES_PER_S, description="Lines a second of each worker.")
    ] = USUAL_LINES_PER_S
    sample: Annotated[float, Meta(gt=0, le=1, description="The share of responses to examine.")] = (
        1.0
    )


class Missed(msgspec.Struct):
    """How many lines are missing: not sent in time, or not examined. `silent` are the workers of
    which nothing is heard, where others are than before.
    """

    dropped: int
    unexamined: int
    silent: list[str] | msgspec.UnsetType = msgspec.UNSET


class Following:
    """Everybody who follows."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._numbers = itertools.count(1)
        self._present: set[int] = set()

    async def log(self, asked: FollowRequest) -> AsyncIterator[bytes]:
        """Return the lines, some at a time. Raises ProblemError for a filter that means nothing."""
        try:
            parse_filter(asked.filter)
        except FilterError as error:
            raise ProblemError(422, f"filter: {error}", field="filter") from error
        return self._follow(asked)

    async def _follow(self, asked: FollowRequest) -> AsyncIterator[bytes]:
        if len(self._present) >= MOST_FOLLOWERS:
            raise ProblemError(
                503, f"{MOST_FOLLOWERS} follow already, which is the most: end one of them"
            )
        follower = next(self._numbers)
        self._present.add(follower)
        try:
            async for lines in self._stream(follower, asked):
                yield lines
        finally:
            self._present.discard(follower)
            self._node.workers.tell_all(Leave(follower))

    async def _stream(self, follower: int, asked: FollowRequest) -> AsyncIterator[bytes]:
        left = asked.limit
        silent_before: list[str] = []
        loop = asyncio.get_running_loop()
        written_s = -math.inf  # the first answer is sent at once: the reader sees that he follows
        while self._node.not_ready_because() != "stopping":
            found, silent = await self._next_lines(follower, asked)
            lines = sorted((bytes(line) for part in found for line in part.followed.lines), key=_at)
            if left is not None:
                lines = lines[:left]
                left -= len(lines)
            missed = Missed(
                dropped=sum(part.followed.dropped for part in found),
                unexamined=sum(part.followed.unexamined for part in found),
            )
            if silent != silent_before:
                missed.silent = silent_before = silent
            if missed.dropped or missed.unexamined or missed.silent is not msgspec.UNSET:
                lines.append(msgspec.json.encode(missed))
            if lines or loop.time() - written_s >= QUIET_S:
                written_s = loop.time()
                yield b"\n".join(lines) + b"\n"
            if left == 0:
                return
            await asyncio.sleep(ASK_EVERY_S)

    async def _next_lines(
        self, follower: int, asked: FollowRequest
    ) -> tuple[list[Lines], list[str]]:
        return await self._node.workers.ask_and_miss(
            Follow(follower, asked.filter, asked.rate, asked.sample), Lines, ANSWER_S
        )


def _at(line: bytes) -> bytes:
    """Return what lines are ordered by: they begin with their time."""
    return line[:40]
