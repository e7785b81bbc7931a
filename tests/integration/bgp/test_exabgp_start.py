"""An ExaBGP that does not start says why; one that ends each time is tried less and less often."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

import psutil
import pytest

from headrace.bgp.errors import BgpError
from headrace.bgp.events import SpeakerChanged, SpeakerState
from headrace.bgp.exabgp.speaker import ExaBgpSpeaker
from headrace.bgp.session import Session


def on_loopback(port: int, *, passive: bool) -> Session:
    """A session between two addresses of this machine, where no router is."""
    return Session(
        peer=ip_address("127.0.0.2"),
        local=ip_address("127.0.0.1"),
        peer_as=64500,
        local_as=64510,
        router_id=IPv4Address("127.0.0.1"),
        passive=passive,
        port=port,
    )


def test_a_port_that_is_taken_is_told_and_a_free_one_is_enough() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            session = on_loopback(port, passive=True)
            speaker = ExaBgpSpeaker((session,), lambda _event: None, user="root")
            with pytest.raises(BgpError) as told:
                await speaker.start()
            assert str(port) in str(told.value)
        again = ExaBgpSpeaker((session,), lambda _event: None, user="root")
        await again.start()
        await again.close(graceful=False)

    asyncio.run(asyncio.wait_for(run(), 100))


def test_a_user_that_is_not_there_is_told() -> None:
    async def run() -> None:
        session = on_loopback(1, passive=False)
        speaker = ExaBgpSpeaker((session,), lambda _event: None, user="nobody-of-that-name")
        with pytest.raises(BgpError, match=r"nobody-of-that-name|privileges"):
            await speaker.start()

    asyncio.run(asyncio.wait_for(run(), 100))


def test_one_that_ends_each_time_is_started_less_and_less_often() -> None:
    async def run() -> list[float | None]:
        events: list[Any] = []

        def listen(event: object) -> None:
            events.append(event)
            if isinstance(event, SpeakerChanged) and event.state is SpeakerState.STARTED:
                os.kill(speaker.pid, signal.SIGKILL)

        speaker = ExaBgpSpeaker((on_loopback(1, passive=False),), listen, user="root")
        await speaker.start()
        while True:
            waits = [
                one.again_in_s
                for one in events
                if isinstance(one, SpeakerChanged) and one.state is SpeakerState.DIED
            ]
            if len(waits) >= 4:
                await speaker.close(graceful=False)
                return waits
            await asyncio.sleep(0.05)

    waits = asyncio.run(asyncio.wait_for(run(), 100))
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]


def children() -> list[psutil.Process]:
    """Return the processes below this one but for those that other tests keep warm."""
    own = psutil.Process()
    kept = [one for one in own.children() if "tests.harness.warm_server" in one.cmdline()]
    below = {each for one in kept for each in one.children(recursive=True)}
    return [one for one in own.children(recursive=True) if one not in {*kept, *below}]


def waits(loaded: psutil.Process) -> bool:
    """Return whether it has loaded ExaBGP."""
    return loaded.status() == psutil.STATUS_SLEEPING and loaded.cpu_times().user > 0.1


def test_one_that_was_loaded_speaks_to_nobody_until_it_is_started() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.2", 0)) as router:
            router.setblocking(False)
            session = on_loopback(router.getsockname()[1], passive=False)
            speaker = ExaBgpSpeaker((session,), lambda _event: None, user="root")
            await speaker.load()
            (loaded,) = children()
            while not waits(loaded):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            with pytest.raises(BlockingIOError):
                router.accept()
            await speaker.start()
            assert speaker.pid == loaded.pid
            connected, _address = await asyncio.get_running_loop().sock_accept(router)
            connected.close()
            await speaker.close(graceful=False)
        assert not children()

    asyncio.run(asyncio.wait_for(run(), 100))


def test_one_that_was_loaded_and_is_closed_leaves_nothing() -> None:
    async def run() -> None:
        speaker = ExaBgpSpeaker((on_loopback(1, passive=False),), lambda _event: None, user="root")
        await speaker.load()
        assert children()
        await speaker.close(graceful=False)
        assert not children()

    asyncio.run(asyncio.wait_for(run(), 100))


def test_one_that_died_while_it_waited_is_told_and_another_starts() -> None:
    async def run() -> None:
        speaker = ExaBgpSpeaker((on_loopback(1, passive=False),), lambda _event: None, user="root")
        await speaker.load()
        (loaded,) = children()
        loaded.kill()
        await asyncio.sleep(0.1)
        with pytest.raises(BgpError, match="did not start"):
            await speaker.start()
        await speaker.start()
        await speaker.close(graceful=False)
        assert not children()

    asyncio.run(asyncio.wait_for(run(), 100))


def opened() -> set[str]:
    """Return the files and sockets that this process has open."""
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the directory itself
            found.add(f"{one.name} {one.readlink()}")
    return found


def test_one_that_nobody_waits_for_while_it_is_loaded_leaves_nothing() -> None:
    async def run() -> None:
        speaker = ExaBgpSpeaker((on_loopback(1, passive=False),), lambda _event: None, user="root")
        loading = asyncio.create_task(speaker.load())
        await asyncio.sleep(0)  # it has begun
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        assert not children()
        assert not [one for one in opened() if "memfd" in one]

    asyncio.run(asyncio.wait_for(run(), 100))


def test_one_that_was_loaded_and_whose_password_is_gone_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        session = replace(on_loopback(1, passive=False), password_file=tmp_path / "gone")
        speaker = ExaBgpSpeaker((session,), lambda _event: None, user="root")
        await speaker.load()
        with pytest.raises(BgpError, match="gone"):
            await speaker.start()
        assert not children()
        assert not [one for one in opened() if "memfd" in one]

    asyncio.run(asyncio.wait_for(run(), 100))
