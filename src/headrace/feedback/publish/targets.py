"""Takes each view to a file and to the sockets of nodes, each by a task of its own: one that hangs
costs itself a time limit, and gets the newest view when it comes round again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from headrace.errors import HeadraceError
from headrace.feedback.publish.published import Published
from headrace.node.network.view_file import ViewFile, write_view
from headrace.node.network.view_socket import LONGEST_ANSWER_BYTES, ViewAnswer
from headrace.topology.view_codec import ViewError

TIMEOUT_S = 2.0
AGAIN_S = 1.0

log = structlog.get_logger("headrace.feedback")


class Targets:
    """The file and the sockets. `failed` counts what could not be delivered, by target."""

    def __init__(self, file: Path | None, sockets: Sequence[Path]) -> None:
        self.failed: Counter[str] = Counter()
        self._newest: Published | None = None
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        if file is not None:
            self._begin(str(file), lambda one: _to_file(file, one))
        for path in sockets:
            self._begin(str(path), _to_socket_of(path))

    def publish(self, published: Published) -> None:
        """Deliver a view from now on."""
        self._newest = published
        self._changed.set()
        self._changed = asyncio.Event()

    async def close(self) -> None:
        """Stop delivering."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, name: str, deliver: Callable[[Published], Awaitable[None]]) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(name, deliver))
        self._tasks.append(task)

    async def _deliver(self, name: str, deliver: Callable[[Published], Awaitable[None]]) -> None:
        done: Published | None = None
        logged: set[tuple[str, int | None]] = set()  # each kind once, until it is delivered again
        while True:
            newest, changed = self._newest, self._changed
            if newest is None or newest is done:
                await changed.wait()
                continue
            try:
                await deliver(newest)
            except (HeadraceError, OSError, ValueError) as error:
                self.failed[name] += 1
                kind = (type(error).__name__, getattr(error, "errno", None))
                if kind not in logged:
                    logged.add(kind)
                    problem = str(error) or type(error).__name__
                    log.error("view_not_delivered", target=name, problem=problem)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_S):
                        await changed.wait()
            else:
                if logged:
                    log.info("view_delivered_again", target=name)
                    logged.clear()
                done = newest


def read_published(path: Path | None) -> bytes | None:
    """Return the view that was published to a file before; None where there is none."""
    try:
        return None if path is None else ViewFile(path).read_if_changed()
    except ViewError:
        return None


async def _to_file(path: Path, published: Published) -> None:
    await asyncio.to_thread(write_view, path, published.view)


def _to_socket_of(path: Path) -> Callable[[Published], Awaitable[None]]:
    async def deliver(published: Published) -> None:
        await to_socket(path, published.data)

    return deliver


async def to_socket(path: Path, data: bytes) -> None:
    """Give a document to the node that listens on a socket.

    Raises OSError, ValueError or Undelivered.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST_ANSWER_BYTES)
            try:
                writer.write(data + b"\n")
                await writer.drain()
                line = await reader.readuntil(b"\n")
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise Undelivered(f"no answer within {TIMEOUT_S:g} s") from None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise Undelivered("what listens there is no node") from None
    try:
        answer = msgspec.json.decode(line, type=ViewAnswer)
    except msgspec.DecodeError:
        raise Undelivered("what listens there is no node") from None
    if answer.refused and answer.refused != "older":
        raise Undelivered(f"the node refused the view: {answer.problem}")


class Undelivered(HeadraceError):
    """A view that a node did not take."""
