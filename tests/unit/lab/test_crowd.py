from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network

import pytest

from headrace.lab.crowd import COMING, LEAVING, MOST_VIEWERS, Crowd, source_of
from headrace.lab.errors import LabError
from headrace.lab.plan import Place


def a_crowd() -> Crowd:
    return Crowd(Place("127.0.0.1", 1), lambda _url: "north")


@pytest.mark.parametrize("viewers", [-1, MOST_VIEWERS + 1])
def test_no_more_viewers_than_there_may_be_are_wanted(viewers: int) -> None:
    crowd = a_crowd()
    with pytest.raises(LabError, match=str(MOST_VIEWERS)):
        crowd.want(viewers)
    assert crowd.wanted == 0


def test_each_viewer_comes_from_a_network_of_its_own_on_loopback() -> None:
    sources = [source_of("127.0.0.1", number) for number in range(MOST_VIEWERS)]
    hosts = [ip_address(source[0]) for source in sources if source is not None]
    assert len({ip_network(f"{host}/24", strict=False) for host in hosts}) == MOST_VIEWERS
    assert all(host.is_loopback for host in hosts)


def test_over_ipv6_the_system_chooses_the_address() -> None:
    assert source_of("::1", 5) is None


def test_viewers_come_one_by_one_and_leave_together() -> None:
    async def sizes() -> tuple[list[int], list[int]]:
        crowd, coming, leaving = a_crowd(), [], []
        crowd.want(5)
        for _ in range(6):
            crowd._come_and_leave()
            coming.append(len(crowd))
        crowd.want(0)
        for _ in range(2):
            crowd._come_and_leave()
            leaving.append(len(crowd))
        return coming, leaving

    coming, leaving = asyncio.run(sizes())
    assert coming == [COMING * number for number in range(1, 6)] + [5]
    assert leaving == [5 - LEAVING, 0]


def test_a_crowd_that_is_ended_leaves_nobody_behind() -> None:
    async def left() -> set[asyncio.Task[None]]:
        crowd = a_crowd()
        crowd.want(3)
        before = asyncio.all_tasks()
        running = asyncio.create_task(crowd.run())
        await asyncio.sleep(0)
        assert len(crowd) == COMING
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return asyncio.all_tasks() - before

    assert asyncio.run(left()) == set()
