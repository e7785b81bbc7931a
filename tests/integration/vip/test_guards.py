"""Of two processes that would announce by one BIRD, one does."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from headrace.bgp.errors import BgpError
from headrace.config.loader import load_config
from headrace.config.vip import VIP
from headrace.config.vip.model import VipConfig
from headrace.vip.speak.guard import Guard
from headrace.vip.speak.guard_process import READY
from headrace.vip.speak.made import guarded
from headrace.vip.speak.stopped import GUARD_MODULE, end_stopped

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "vip.toml"


def config_of(directory: Path, name: str) -> VipConfig:
    """A process with a state directory of its own, and the BIRD of the other."""
    config = load_config(EXAMPLE, VIP)
    state = directory / name
    state.mkdir()
    bird = {
        "kind": "bird",
        "bird_socket": directory / "bird.ctl",
        "bird_include": directory / "headrace.conf",
    }
    speaker = config.speaker.model_copy(update=bird)
    return config.model_copy(update={"state_directory": state, "speaker": speaker})


def guard_of(config: VipConfig) -> Guard:
    """Its guard."""
    task = guarded(config)
    assert task is not None
    return Guard(task, lambda: None)


def test_a_second_process_does_not_write_what_the_first_announces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        first, second = (guard_of(config_of(tmp_path, name)) for name in ("one", "two"))
        await first.start()
        monkeypatch.setattr("headrace.vip.speak.guard.START_S", 3.0)
        with pytest.raises(BgpError, match="another vip process"):
            await second.start()
        await second.close(withdraw=False)
        await first.close(withdraw=False)
        monkeypatch.undo()
        await second.start()
        await second.close(withdraw=False)

    asyncio.run(asyncio.wait_for(run(), 100))


def test_a_lock_that_cannot_be_taken_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        config = config_of(tmp_path, "one")
        (tmp_path / ".headrace.lock").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(BgpError, match="ended as it started"):
            await guard_of(config).start()
        assert not (tmp_path / "elsewhere").exists()

    asyncio.run(asyncio.wait_for(run(), 100))


def test_a_stopped_guard_of_a_former_process_does_not_keep_the_next_from_its_work(
    tmp_path: Path,
) -> None:
    """Else the daemon would announce on, unchecked, for as long as that one is stopped."""
    config = config_of(tmp_path, "one")
    task = guarded(config)
    assert task is not None
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-m", GUARD_MODULE, msgspec.json.encode(task).decode()]
        with subprocess.Popen(command, stdin=theirs.fileno()) as former:
            try:
                assert ours.recv(100) == READY
                former.send_signal(signal.SIGSTOP)

                async def run() -> None:
                    guard = guard_of(config)
                    await guard.start()
                    await guard.close(withdraw=False)

                asyncio.run(asyncio.wait_for(run(), 60))
                assert former.wait(10) == -signal.SIGKILL
            finally:
                former.kill()


@pytest.mark.parametrize("said", [b"", b"x", b"0\n", b"-1\n", b"9" * 20, b"%d\n"])
def test_nothing_else_is_ended(tmp_path: Path, said: bytes) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        try:
            other.send_signal(signal.SIGSTOP)
            file = tmp_path / "lock"
            file.write_bytes(said.replace(b"%d", b"%d" % other.pid))
            with file.open("rb") as lock:
                assert end_stopped(lock.fileno()) == 0
            assert other.poll() is None
        finally:
            other.kill()
