"""GET /log: requests as they end, as lines of JSON, for as long as the client of the admin API
reads.

The admin API asks the workers for more when what it has is written, so a slow reader makes the
workers' bounded queues drop lines; nothing else waits. Between lines of requests come those about
the stream itself: `{"dropped": …, "unexamined": …}` when that happened, and an empty line now and
then, by which a reader that is gone is noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
from aiohttp import web

from headrace.edge.messages import Follow, Leave, Lines
from headrace.node.admin.problem import ProblemError
from headrace.node.running import Workers
from headrace.telemetry.filter import parse_filter
from headrace.telemetry.filter_words import FilterError
from headrace.telemetry.watch import MOST_FOLLOWERS

CONTENT_TYPE = "application/x-ndjson"
LOOK_EVERY_S = 0.2
QUIET_S = 2.0  # an empty line after so long without another
WRITE_TIMEOUT_S = 30.0
MOST_LINES = 1_000_000
MOST_LINES_PER_S = 1000
USUAL_LINES_PER_S = 200


class Server(Protocol):
    """What following needs of the running server."""

    @property
    def workers(self) -> Workers: ...

    def not_ready_because(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class FollowRequest:
    """What to follow. `limit` is None for no end; `rate` is lines a second of each worker."""

    filter: str
    limit: int | None
    rate: int
    sample: float


def parse_following(query: Mapping[str, str]) -> FollowRequest:
    """Read the query of GET /log: filter, limit, rate and sample. Raises ProblemError."""
    unknown = sorted(set(query) - {"filter", "limit", "rate", "sample"})
    if unknown:
        raise ProblemError(
            422,
            f"unknown parameter {unknown[0]!r}: use filter, limit, rate and sample",
            field=unknown[0],
        )
    text = query.get("filter", "")
    try:
        parse_filter(text)
    except FilterError as error:
        raise ProblemError(422, f"filter: {error}", field="filter") from error
    limit = query.get("limit")
    return FollowRequest(
        text,
        None if limit is None else _whole(limit, "limit", MOST_LINES),
        _whole(query.get("rate", str(USUAL_LINES_PER_S)), "rate", MOST_LINES_PER_S),
        _share(query.get("sample", "1")),
    )


class Following:
    """Everybody who follows."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._present: set[int] = set()

    async def log(self, request: web.Request) -> web.StreamResponse:
        """The route."""
        asked = parse_following(request.query)
        if len(self._present) >= MOST_FOLLOWERS:
            raise ProblemError(
                503, f"{MOST_FOLLOWERS} follow already, which is the most: end one of them"
            )
        follower = next(self._numbers)
        self._present.add(follower)
        try:
            response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
            await response.prepare(request)
            with contextlib.suppress(TimeoutError, ConnectionError):
                await self._stream(follower, asked, request, response)
            return response
        finally:
            self._present.discard(follower)
            self._server.workers.tell_all(Leave(follower))

    async def _stream(
        self,
        follower: int,
        asked: FollowRequest,
        request: web.Request,
        response: web.StreamResponse,
    ) -> None:
        left = asked.limit
        quiet_s = QUIET_S  # the first look is written at once: the reader sees that he follows
        while self._server.not_ready_because() != "stopping":
            if request.transport is None or request.transport.is_closing():
                return
            found = await self._look(follower, asked)
            lines = sorted((bytes(line) for part in found for line in part.followed.lines), key=_at)
            if left is not None:
                lines = lines[:left]
                left -= len(lines)
            missed = {
                "dropped": sum(part.followed.dropped for part in found),
                "unexamined": sum(part.followed.unexamined for part in found),
            }
            if any(missed.values()):
                lines.append(msgspec.json.encode(missed))
            quiet_s += LOOK_EVERY_S
            if lines or quiet_s >= QUIET_S:
                quiet_s = 0.0
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    await response.write(b"\n".join(lines) + b"\n")
            if left == 0:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, follower: int, asked: FollowRequest) -> list[Lines]:
        return await self._server.workers.ask_each(
            Follow(follower, asked.filter, asked.rate, asked.sample), Lines
        )


def _at(line: bytes) -> bytes:
    """What lines are ordered by: they begin with their time."""
    return line[:40]


def _whole(text: str, field: str, most: int) -> int:
    good = text.isascii() and text.isdigit() and len(text) < 10
    if not good or not 1 <= int(text) <= most:
        raise ProblemError(422, f"{field} must be a number from 1 to {most}", field=field)
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise ProblemError(422, "sample must be a share above 0, 1 at most", field="sample")
    return share
