"""What is kept comes back as it was; what cannot be read is left out."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest

import headrace.vip.kept as kept_module
from headrace.topology.model import AdminState
from headrace.vip.kept import NAME, Keeper, Kept, read_kept, write_kept
from headrace.vip.memory import memory_of, order_line, order_of, with_memory, with_order
from headrace.vip.plan.model import Drain, Held, Memory, Phase
from headrace.vip.plan.wanted import Order

A, B = ip_address("192.0.2.1"), ip_address("2001:db8::1")


def test_an_order_and_a_memory_come_back(tmp_path: Path) -> None:
    order = Order(AdminState.DRAINING, "new disks", 1e9, force=True)
    memory = Memory(
        {A: ("s1", 0), B: ("s2", 1)}, {A: Held("s3", 2, 1e9)}, Drain(Phase.WORSE, 123.0)
    )
    kept = with_memory(with_order(Kept(), order, "ada@desk", 100.0), memory)
    write_kept(tmp_path, kept)
    found = read_kept(tmp_path)
    assert found == kept
    assert order_of(found) == order
    assert memory_of(found) == memory
    assert found.order is not None
    assert (found.order.by, found.order.at) == ("ada@desk", 100.0)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_an_order_is_logged_with_its_end_and_its_reason() -> None:
    order = Order(AdminState.DRAINING, "new disks", 3600.0)
    assert order_line(order, "ada@desk") == (
        "draining by ada@desk, until 1970-01-01 01:00:00Z: new disks"
    )
    assert order_line(Order(AdminState.WITHDRAWN), "") == (
        "withdrawn by somebody, until it is taken back"
    )
    assert order_line(None, "its time") == "return by its time"


def test_nothing_kept_is_nothing_remembered(tmp_path: Path) -> None:
    assert read_kept(tmp_path) == Kept()
    assert memory_of(Kept()) is None
    assert order_of(Kept()) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"phase": "asleep"}', b"\xff", b"[" * 9999])
def test_a_file_that_cannot_be_read_is_left_out(tmp_path: Path, data: bytes) -> None:
    (tmp_path / NAME).write_bytes(data)
    assert read_kept(tmp_path) == Kept()


def test_serving_is_written_once_whenever_it_began() -> None:
    first = with_memory(Kept(), Memory({}, {}, Drain(Phase.SERVING, 1.0)))
    assert with_memory(Kept(), Memory({}, {}, Drain(Phase.SERVING, 2.0))) == first


def test_a_disk_that_takes_nothing_is_counted_and_tried_again(tmp_path: Path) -> None:
    async def keep() -> int:
        keeper = Keeper(tmp_path / "missing", Kept())
        keeper.put(Kept(drained_edge=True))
        with pytest.raises(OSError, match="missing"):
            await keeper.flush()
        assert keeper.problem == "No such file or directory"
        (tmp_path / "missing").mkdir()
        keeper.put(Kept(drained_edge=True, bound=("192.0.2.1",)))
        await keeper.flush()
        assert keeper.problem == ""
        await keeper.close()
        return keeper.failed

    assert asyncio.run(keep()) >= 1
    assert read_kept(tmp_path / "missing") == Kept(drained_edge=True, bound=("192.0.2.1",))


def test_what_could_not_be_written_is_tried_again_though_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "AGAIN_S", 0.0)

    async def keep() -> None:
        keeper, order = Keeper(tmp_path / "missing", Kept()), Kept(drained_edge=True)
        keeper.put(order)
        with pytest.raises(OSError, match="missing"):
            await keeper.flush()
        (tmp_path / "missing").mkdir()
        keeper.put(order)
        assert keeper.kept == order
        task = keeper._task
        assert task is not None
        await task
        assert keeper.problem == ""

    asyncio.run(keep())
    assert read_kept(tmp_path / "missing") == Kept(drained_edge=True)
