"""When the other servers of a site are asked."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address

from headrace.topology.model import Server
from headrace.vip.events import Event
from headrace.vip.plan.floor import Neighbour
from headrace.vip.plan.health import Soundness
from headrace.vip.rules import NoPortError
from headrace.vip.site.neighbours import Asking, Neighbours
from tests.unit.vip.plan.sites import a_server

SECOND = replace(a_server("n2"), ipv4=(IPv4Address("10.0.0.2"),))
THIRD = replace(a_server("n3"), ipv4=(IPv4Address("10.0.0.3"),))

NOW = 1_000_000.0


class Asked(Neighbours):
    """Asks nobody, and counts it. The others are as `soundness` says; who `hangs` says nothing."""

    def __init__(self) -> None:
        def no_check(_server: Server) -> None:
            raise NoPortError("not asked here")

        asking = Asking(8093, 3600.0, 1.0, ssl.create_default_context())
        self.told: list[Event] = []
        super().__init__(asking, no_check, lambda: (), self.told.append)  # type: ignore[arg-type]
        self.counted: Counter[str] = Counter()
        self.soundness = Soundness.FAILED
        self.hangs = False
        self.often = asyncio.Event()

    async def _ask(self, server: Server, at: float) -> Neighbour:
        self.counted[server.name] += 1
        if self.counted[server.name] == 3:
            self.often.set()
        if self.hangs:
            await asyncio.Event().wait()
        return Neighbour(self.soundness, at)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def begun(*, soundness: Soundness = Soundness.FAILED) -> Asked:
    found = Asked()
    found.soundness = soundness
    found.want([SECOND])
    found.want([SECOND, THIRD])  # one after the other, so nobody waits for its place in a round
    await settled()
    assert found.counted == {"n2": 1, "n3": 1}
    return found


def test_one_that_asks_and_did_not_answer_is_asked_at_once() -> None:
    async def run() -> None:
        site = await begun()
        for address in ("10.0.0.2", "::ffff:10.0.0.3", "10.0.0.9", "", "nonsense"):
            site.asked_by(address)
        await settled()
        assert site.counted == {"n2": 2, "n3": 2}
        assert [(one.about, one.detail) for one in site.told] == [
            ("n2", "failed"),
            ("n3", "failed"),
        ]
        await site.close()

    asyncio.run(run())


def test_when_one_has_asked_is_known_over_its_silence() -> None:
    async def run() -> None:
        site = await begun()
        assert site.at(NOW)["n2"].heard_at < 0
        site.asked_by("10.0.0.2")
        await settled()
        found = site.at(NOW)
        assert found["n2"].soundness is Soundness.FAILED
        assert NOW - 60 < found["n2"].heard_at <= NOW
        assert found["n3"].heard_at < 0
        await site.close()

    asyncio.run(run())


def test_one_that_answers_is_asked_in_its_turn() -> None:
    async def run() -> None:
        site = await begun(soundness=Soundness.SOUND)
        site.asked_by("10.0.0.2")
        await settled()
        assert site.counted["n2"] == 1
        await site.close()

    asyncio.run(run())


def test_a_question_is_dropped_once_and_then_waited_for() -> None:
    """However often others ask meanwhile, or lines come and go."""

    async def run() -> None:
        site = await begun()
        site.hangs = True
        for _ in range(5):
            site.asked_by("10.0.0.2")
            site.ask_again()
            await settled()
        assert site.counted == {"n2": 2, "n3": 2}
        await site.close()

    asyncio.run(run())


def test_who_hurries_does_not_wait_for_the_next_round() -> None:
    async def run() -> None:
        site = Asked()
        site.hurries = True
        site.want([SECOND])
        async with asyncio.timeout(20):
            await site.often.wait()
        await site.close()

    asyncio.run(run())


def test_nobody_is_asked_once_it_is_closed() -> None:
    """A line may change while the rest of the process ends."""

    async def run() -> None:
        site = await begun()
        await site.close()
        site.ask_again()
        site.asked_by("10.0.0.2")
        await settled()
        assert site.counted == {"n2": 1, "n3": 1}
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())
