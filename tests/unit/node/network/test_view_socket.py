"""The socket for views: who may connect, and how little a flood on it costs."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from headrace.node.network import view_socket
from headrace.node.network.view_socket import ViewSocket
from headrace.topology.view_codec import ViewError


def refused(error: ViewError) -> None:
    raise AssertionError(error)


def test_only_the_user_and_the_group_may_connect(tmp_path: Path) -> None:
    path = tmp_path / "view.sock"

    async def work() -> int:
        opened = await ViewSocket.open(path, lambda _data: True, refused)
        mode = path.stat().st_mode
        await opened.close()
        return mode

    assert stat.S_IMODE(asyncio.run(work())) == 0o660
    assert not path.exists()


def test_who_connects_again_for_each_document_is_read_no_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_socket, "PAUSE_S", 3600.0)
    path = tmp_path / "view.sock"
    offered: list[bytes] = []

    def offer(data: bytes) -> bool:
        offered.append(data)
        return True

    async def work() -> None:
        opened = await ViewSocket.open(path, offer, refused)
        reader, first = await asyncio.open_unix_connection(path)
        first.write(b"{}\n")
        assert await reader.readline() == b'{"taken":true}\n'
        for _ in range(10):
            first.close()
            reader, first = await asyncio.open_unix_connection(path)
            first.write(b"{}\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readline(), 0.02)
        first.close()
        await opened.close()

    asyncio.run(work())
    assert offered == [b"{}\n"]
