"""Pulling views from several feedback processes: the newest counts, and one that hangs, lies or is
gone keeps nobody from hearing the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from headrace.node.network import view_pull
from headrace.node.network.signed import answer_value, asked_nonce, digest_of
from headrace.node.network.signed_client import SignedClient
from headrace.node.network.view_pull import ViewPuller
from headrace.node.network.views import Views
from headrace.topology.view import View
from headrace.topology.view_codec import encode_view

SECRET = b"s" * 32
NOW = 1_000_000.0


class Process:
    """A feedback process: `view` is what it has, and it may know another secret or say nothing."""

    def __init__(self, view: View | None, secret: bytes = SECRET, *, hangs: bool = False) -> None:
        self.view = view
        self.asked = 0
        self._secret = secret
        self._hangs = hangs
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.asked += 1
                target = head.split(b" ", 2)[1]
                lines = (line.partition(b":") for line in head.split(b"\r\n"))
                field = next(value for name, _c, value in lines if name.lower() == b"headrace-ask")
                nonce = asked_nonce((SECRET,), target, field.strip())
                assert nonce is not None
                made_at, version = target.partition(b"=")[2].split(b",")
                after = float(made_at), int(version)
                while self._hangs or self.view is None or self._order() <= after:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                body = encode_view(self.view)
                value = answer_value((self._secret,), target, nonce, digest_of(body))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nHeadrace-Answer: %b\r\nContent-Length: %d\r\n\r\n%b"
                    % (value, len(body), body)
                )
        writer.close()

    def _order(self) -> tuple[float, int]:
        assert self.view is not None
        return self.view.made_at, self.view.version


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def pulled(
    secret_file: Path, *processes: Process, more: tuple[str, ...] = ()
) -> AsyncIterator[Views]:
    """Pull from processes; the views that were taken."""
    secret_file.write_bytes(SECRET + b"\n")
    views = Views(600.0)
    urls = [await one.start() for one in processes]
    puller = ViewPuller(
        [*urls, *more],
        secret_file,
        lambda: views.after(NOW),
        lambda data, source: views.offer(data, source, NOW),
    )
    task = asyncio.create_task(puller.run())
    try:
        yield views
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for one in processes:
            await one.stop()


def test_the_newest_of_several_counts(tmp_path: Path) -> None:
    async def test() -> None:
        old, new = Process(View(1, NOW - 9)), Process(View(2, NOW - 5))
        hanging, lying = Process(None, hangs=True), Process(View(9, NOW), b"x" * 32)
        async with pulled(
            tmp_path / "secret", old, hanging, lying, new, more=("http://127.0.0.1:1",)
        ) as views:
            await until(lambda: views.said.version == 2)
            old.view = View(3, NOW - 4)
            await until(lambda: views.said.version == 3)
            new.view = View(4, NOW - 3)
            await until(lambda: views.said.version == 4)
            assert views.refused.total() == 0

    asyncio.run(test())


def test_one_that_lies_is_not_asked_all_the_time(tmp_path: Path) -> None:
    async def test() -> None:
        lying = Process(View(9, NOW), b"x" * 32)
        async with pulled(tmp_path / "secret", lying) as views:
            await asyncio.sleep(2.0)
            assert views.said.version == 0
            assert 1 <= lying.asked <= 8

    asyncio.run(test())


def test_a_secret_that_cannot_be_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_pull, "FIRST_WAIT_S", 0.05)

    async def test() -> None:
        process = Process(View(1, NOW))
        path = tmp_path / "secret"
        async with pulled(path, process) as views:
            path.unlink()
            process.view = View(2, NOW + 1)
            await asyncio.sleep(0.3)
            path.write_bytes(SECRET + b"\n")
            await until(lambda: views.said.version == 2)

    asyncio.run(test())


def test_one_that_is_gone_is_asked_again_soon_and_not_by_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(wait_s: float) -> None:
        waits.append(wait_s)
        await sleep(0)

    async def test() -> None:
        async with pulled(tmp_path / "secret", more=("http://127.0.0.1:1",)):
            while len(waits) < 60:
                await sleep(0.001)

    monkeypatch.setattr("headrace.node.network.view_pull.asyncio.sleep", noted)
    asyncio.run(test())
    assert all(0 < wait_s <= 2.0 for wait_s in waits)
    assert waits[0] <= 0.25
    later = waits[10:]
    assert min(later) >= 1.0
    assert len(set(later)) > len(later) / 2


def test_a_connection_notices_when_the_other_machine_is_gone() -> None:
    async def test() -> None:
        process = Process(View(1, NOW), hangs=True)
        url = await process.start()
        client = SignedClient.open(1000)
        asked = asyncio.create_task(client.ask(url, "/v1/view?after=0,0", (SECRET,), 9.0))
        await until(lambda: process.asked == 1)
        (connection,) = (
            sock
            for held in client.session.connector._acquired  # type: ignore[union-attr]
            if held.transport is not None
            and (sock := held.transport.get_extra_info("socket")) is not None
        )
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        silent_s = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        again_s = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
        tries = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
        assert silent_s + again_s * tries <= 5
        asked.cancel()
        await client.close()
        await process.stop()

    asyncio.run(test())
