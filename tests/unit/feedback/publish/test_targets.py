"""Delivering views: who hangs, refuses or is gone harms nobody else, and gets the newest later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from headrace.feedback.publish.published import Published
from headrace.feedback.publish.targets import Targets, read_published
from headrace.node.network.view_socket import ViewSocket
from headrace.topology.view import View
from headrace.topology.view_codec import decode_view

OLD, NEW = Published.of(View(1, 100.0)), Published.of(View(2, 200.0))


class Node:
    """A node that takes views on a socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.views: list[int] = []

    async def __aenter__(self) -> Node:
        self._socket = await ViewSocket.open(self.path, self._offer, lambda _error: None)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._socket.close()

    def _offer(self, data: bytes) -> bool:
        self.views.append(decode_view(data).version)
        return True


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_a_view_reaches_the_file_and_the_sockets(tmp_path: Path) -> None:
    async def test() -> None:
        async with Node(tmp_path / "a.sock") as one, Node(tmp_path / "b.sock") as other:
            targets = Targets(tmp_path / "view.json", [one.path, other.path])
            targets.publish(OLD)
            await until(lambda: one.views == other.views == [1])
            targets.publish(NEW)
            await until(lambda: one.views == other.views == [1, 2])
            await until(lambda: read_published(tmp_path / "view.json") == NEW.data + b"\n")
            await targets.close()
            assert targets.failed.total() == 0

    run(test())


def test_one_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def test() -> None:
        hanging = await asyncio.start_unix_server(hang, tmp_path / "hangs.sock")
        async with Node(tmp_path / "well.sock") as well:
            paths = [tmp_path / "hangs.sock", tmp_path / "gone.sock", well.path]
            targets = Targets(tmp_path / "no" / "directory.json", paths)
            targets.publish(OLD)
            targets.publish(NEW)
            await until(lambda: well.views == [2])
            await until(lambda: len(targets.failed) == 3)
            await targets.close()
        hanging.close()

    run(test())


def test_one_that_was_gone_gets_the_newest(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "node.sock"
        targets = Targets(None, [path])
        targets.publish(OLD)
        await until(lambda: targets.failed.total() > 0)
        targets.publish(NEW)
        async with Node(path) as node:
            await until(lambda: node.views == [2])
            await targets.close()

    run(test())


def test_what_is_no_view_is_not_taken_for_one(tmp_path: Path) -> None:
    assert read_published(None) is None
    assert read_published(tmp_path / "none") is None
    assert read_published(tmp_path) is None


def test_each_kind_of_trouble_is_logged_once_until_it_is_over(tmp_path: Path) -> None:
    place = tmp_path / "run"
    file = place / "view.json"

    async def test() -> None:
        targets = Targets(file, [])
        for number in (1, 2):  # nobody has made the directory
            targets.publish(Published.of(View(number, 100.0 + number)))
            await until(lambda number=number: targets.failed.total() >= number)  # type: ignore[misc]
        place.write_text("in the way")
        targets.publish(OLD)
        await until(lambda: targets.failed.total() >= 3)
        place.unlink()
        place.mkdir()
        targets.publish(NEW)
        await until(lambda: read_published(file) == NEW.data + b"\n")
        await targets.close()

    with capture_logs() as logged:
        run(test())
    said = [(one["event"], one.get("problem", "").partition("]")[0][1:]) for one in logged]
    assert said == [
        ("view_not_delivered", "Errno 2"),
        ("view_not_delivered", "Errno 20"),
        ("view_delivered_again", ""),
    ]
