"""What survives a restart: it comes back as it was, and what is damaged is left out."""

from __future__ import annotations

import asyncio
import os
import threading
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.feedback.kept import (
    DECIDED,
    ORDERS,
    Decided,
    Keeper,
    keep_decided,
    keep_orders,
    read_decided,
    read_orders,
)
from headrace.feedback.orders import NO_ORDERS, Wish, freeze, wish_server

KEPT = Decided(1e9, b"memory", b"view")


def test_what_was_decided_comes_back(tmp_path: Path) -> None:
    assert read_decided(tmp_path) is None
    keep_decided(tmp_path, KEPT)
    assert read_decided(tmp_path) == KEPT


def test_orders_come_back(tmp_path: Path) -> None:
    orders = freeze(wish_server(NO_ORDERS, "n1", Wish.DRAINING, now=1.0, reason="a disk"), True)
    assert read_orders(tmp_path) == NO_ORDERS
    keep_orders(tmp_path, orders)
    assert read_orders(tmp_path) == orders


@given(st.binary(max_size=100))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_left_out(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / DECIDED).write_bytes(b"\xc1" + junk)
    (tmp_path / ORDERS).write_bytes(b"!" + junk)
    assert read_decided(tmp_path) is None
    assert read_orders(tmp_path) == NO_ORDERS


def test_a_link_that_somebody_put_there_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f"{ORDERS}.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        keep_orders(tmp_path, NO_ORDERS)
    assert victim.read_text() == "precious"


def test_a_pipe_that_somebody_put_there_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ORDERS)
    os.mkfifo(tmp_path / DECIDED)
    assert read_orders(tmp_path) == NO_ORDERS
    assert read_decided(tmp_path) is None
    orders = freeze(NO_ORDERS, True)
    keep_orders(tmp_path, orders)
    assert read_orders(tmp_path) == orders


def test_of_several_values_the_last_is_written() -> None:
    async def test() -> None:
        keeper, written, gate = Keeper(), [], threading.Event()

        def write(value: int) -> None:
            gate.wait(10)
            written.append(value)

        keeper.put("file", lambda: write(1))
        await asyncio.sleep(0.05)
        keeper.put("file", lambda: write(2))
        keeper.put("file", lambda: write(3))
        gate.set()
        await keeper.close()
        assert written == [1, 3]

    asyncio.run(test())


def test_a_disk_that_refuses_is_counted() -> None:
    async def test() -> None:
        def refuse() -> None:
            raise OSError(28, "No space left on device")

        keeper = Keeper()
        keeper.put("file", refuse)
        await keeper.close()
        assert keeper.failed == 1

    asyncio.run(test())


def test_what_a_full_disk_did_not_take_is_written_when_there_is_room() -> None:
    async def test() -> None:
        keeper, written, full = Keeper(), [], [True]

        def write(value: int) -> None:
            if full[0]:
                raise OSError(28, "No space left on device")
            written.append(value)

        keeper.put("orders", partial(write, 1))
        assert keeper.writes("orders")
        await keeper.close()
        assert not keeper.writes("orders")
        assert keeper.problems == {"orders": "No space left on device"}
        keeper.put_again()
        await keeper.close()
        keeper.put("orders", partial(write, 2))
        await keeper.close()
        full[0] = False
        keeper.put_again()
        await keeper.close()
        assert (written, keeper.problems) == ([2], {})
        keeper.put_again()
        assert not keeper.writes("orders")

    asyncio.run(test())
