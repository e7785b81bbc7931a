"""What another user has put in the way is replaced, and neither followed nor waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from pathlib import Path

import pytest

from headrace.bgp.bfd.monitor import BfdMonitor
from headrace.bgp.bfd.text import Pace
from headrace.bgp.bird.include import IncludeFile
from headrace.bgp.errors import BgpError
from headrace.bgp.files import new_file, read_file
from tests.unit.bgp.test_session import session


@pytest.mark.parametrize("kind", ["link", "pipe", "file", "nothing"])
def test_a_new_file_is_a_new_one(tmp_path: Path, kind: str) -> None:
    other, path = tmp_path / "other", tmp_path / "file"
    other.write_text("somebody's")
    match kind:
        case "link":
            path.symlink_to(other)
        case "pipe":
            os.mkfifo(path)
        case "file":
            path.write_text("former")
    with new_file(path, 0o640) as file:
        file.write(b"ours")
    assert other.read_text() == "somebody's"
    assert not path.is_symlink()
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("ours", 0o640)


def test_of_what_is_no_file_nothing_is_read(tmp_path: Path) -> None:
    other, link, pipe = tmp_path / "other", tmp_path / "link", tmp_path / "pipe"
    other.write_text("a secret")
    link.symlink_to(other)
    os.mkfifo(pipe)
    assert read_file(other, 3) == b"a s"
    assert read_file(pipe, 100) == b""
    with pytest.raises(OSError):
        read_file(link, 100)


def test_bfdds_own_user_makes_nobody_write_elsewhere(tmp_path: Path) -> None:
    """The directory is bfdd's user's, and this process may be root."""
    other, place = tmp_path / "other", tmp_path / "bfd"
    other.write_text("somebody's")
    place.mkdir()
    for name in ("bfdd.conf", "bfdd.log"):
        (place / name).symlink_to(other)

    async def run() -> None:
        monitor = BfdMonitor(
            (session(),), place, lambda _key, _why: None, lambda _one: None, Pace()
        )
        with contextlib.suppress(BgpError):  # where bfdd is, and can reach the directory
            await monitor.start()
        await monitor.close()

    asyncio.run(asyncio.wait_for(run(), 30))
    assert other.read_text() == "somebody's"


def test_an_include_file_is_replaced_and_a_pipe_there_is_none(tmp_path: Path) -> None:
    path, other = tmp_path / "headrace.conf", tmp_path / "other"
    os.mkfifo(path)
    (tmp_path / f".headrace.conf.{os.getpid()}.new").symlink_to(other)
    include = IncludeFile(path)
    assert not include.read()
    asyncio.run(include.write("filter"))
    assert include.read() == "filter"
    assert [one.name for one in tmp_path.iterdir()] == ["headrace.conf"]


def test_a_disk_that_hangs_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    include, answers = IncludeFile(tmp_path / "headrace.conf"), threading.Event()
    monkeypatch.setattr("headrace.bgp.bird.include.WRITE_S", 0.05)
    monkeypatch.setattr("headrace.bgp.bird.include.os.fsync", lambda _file: answers.wait(30))

    async def run() -> None:
        for _time in range(2):
            with pytest.raises(BgpError, match="does its disk answer"):
                await include.write("first")
        answers.set()
        for _time in range(500):
            with contextlib.suppress(BgpError):
                await include.write("second")
                break
            await asyncio.sleep(0.01)
        assert include.read() == "second"

    asyncio.run(asyncio.wait_for(run(), 30))
