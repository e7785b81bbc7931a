"""The sweep sweeps in the store's thread, and stops before the store closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import lmdb
import pytest

from headrace.config import Config
from headrace.edge.admin.store_maintenance import StoreMaintenance
from headrace.edge.admin.store_thread import StoreThread
from headrace.errors import HeadraceError
from headrace.store.errors import StoreError
from tests.harness.fake_store import FakeStore


async def until(ask: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not ask():  # noqa: ASYNC110 (what is waited for is counted in another thread)
            await asyncio.sleep(0.01)


async def opened(store: FakeStore) -> StoreThread:
    def opener(_config: Config) -> FakeStore:
        return store

    return await StoreThread.open(opener, None)  # type: ignore[arg-type]  # not looked at


def test_steps_follow_one_another_while_there_is_work() -> None:
    async def go() -> None:
        store = FakeStore()
        store.steps_left = 5
        thread = await opened(store)
        maintenance = StoreMaintenance(thread, idle_pause_s=1000)
        await until(lambda: store.steps == 5)
        await maintenance.close()
        await thread.close()
        assert store.closed

    asyncio.run(go())


def test_a_waiting_sweep_can_be_woken() -> None:
    async def go() -> None:
        store = FakeStore()
        store.steps_left = 1
        thread = await opened(store)
        maintenance = StoreMaintenance(thread, idle_pause_s=1000)
        await until(lambda: store.steps == 1)
        maintenance.wake()
        await until(lambda: store.steps == 2)
        await maintenance.close()
        await thread.close()

    asyncio.run(go())


@pytest.mark.parametrize(
    "trouble", [HeadraceError("the disk is gone"), lmdb.BadTxnError("mdb_get: MDB_BAD_TXN")]
)
def test_a_step_that_fails_does_not_end_the_sweep(trouble: Exception) -> None:
    class Broken(FakeStore):
        def sweep(self) -> bool:
            super().sweep()
            if self.steps == 1:
                raise trouble
            return False

    async def go() -> None:
        store = Broken()
        thread = await opened(store)
        maintenance = StoreMaintenance(thread)
        await until(lambda: store.steps == 1)
        maintenance.wake()
        await until(lambda: store.steps == 2)
        await maintenance.close()
        await thread.close()

    asyncio.run(go())


def test_a_damaged_index_is_reported_with_its_remedy() -> None:
    class Damaged(FakeStore):
        def stats(self) -> dict[str, float]:
            raise lmdb.CorruptedError("mdb_get: MDB_CORRUPTED")

    async def go() -> None:
        thread = await opened(Damaged())
        with pytest.raises(StoreError, match="restart the edge, which then rebuilds it"):
            await thread.stats()
        await thread.close()

    asyncio.run(go())
