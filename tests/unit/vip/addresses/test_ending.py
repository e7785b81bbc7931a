"""Its end comes, whatever else happens at the same moment."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from headrace.vip.addresses import bound
from headrace.vip.addresses.bound import Bound

VIP = ip_address("192.0.2.1")


@pytest.mark.parametrize("turns", range(6))
def test_an_end_is_not_lost_when_something_is_wanted_at_once(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.wait_for` passes over being cancelled when what it waits for has just happened: the
    process would announce on after its end.
    """

    async def present() -> frozenset[object]:
        return frozenset()

    async def nothing(*_what: object) -> None:
        return

    monkeypatch.setattr(bound, "present", present)
    monkeypatch.setattr(bound, "carry_out", nothing)

    async def run() -> None:
        made = Bound("lo", (), nothing)
        made.start()
        for _ in range(20):
            await asyncio.sleep(0)
        made.want((VIP,))
        for _ in range(turns):
            await asyncio.sleep(0)
        closing = asyncio.create_task(made.close(remove=False))
        done, _pending = await asyncio.wait([closing], timeout=5)
        assert done

    asyncio.run(run())
