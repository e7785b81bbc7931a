"""A speaker that does not start is tried again, whatever was wrong, and what was wrong is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from headrace.bgp.announcement import Announcement
from headrace.bgp.errors import BgpError
from headrace.bgp.events import DropReason, SessionKey
from headrace.bgp.session import Session
from headrace.config.loader import load_config
from headrace.config.vip import VIP
from headrace.config.vip.model import VipConfig
from headrace.topology.build import load_topology
from headrace.topology.coverage import CoverageTable
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import NO_VIEW
from headrace.topology.vips import Vip
from headrace.vip.announcing import Announcing
from headrace.vip.events import Event
from headrace.vip.speak.starting import StartedSpeaker

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


class ToySpeaker:
    """A speaker that fails to start as it is told."""

    def __init__(self, failure: Exception | None) -> None:
        self.failure = failure
        self.sets = 0
        self.closed = False

    async def load(self) -> None:
        pass

    async def start(self) -> None:
        if self.failure is not None:
            raise self.failure

    def set(self, announcements: frozenset[Announcement]) -> None:
        self.sets += 1

    def change(self, sessions: tuple[Session, ...], passwords: Mapping[SessionKey, str]) -> None:
        pass

    def dropped(self) -> Mapping[DropReason, int]:
        return {}

    async def close(self, *, graceful: bool) -> None:
        self.closed = True


def config_in(directory: Path) -> VipConfig:
    """The example, of which nothing is bound and which asks for no file."""
    config = load_config(EXAMPLES / "vip.toml", VIP)
    return config.model_copy(
        update={
            "state_directory": directory,
            "addresses": config.addresses.model_copy(update={"bind": False}),
            "edge": None,
        }
    )


def test_whatever_a_start_fails_with_it_is_tried_again(tmp_path: Path) -> None:
    failures: list[Exception | None] = [
        BgpError("no such program"),
        OSError(24, "too many files"),
        ZeroDivisionError("a mistake of ours"),
        None,
    ]
    made = [ToySpeaker(one) for one in failures]
    waiting = iter(made)
    problems = []

    async def run() -> None:
        announcing = Announcing(config_in(tmp_path), lambda: (), lambda *_both: next(waiting))
        topology = load_topology(EXAMPLES / "vips.toml")
        announcing.adopt_network(NetworkSnapshot(topology, "1", CoverageTable(topology)), NO_VIEW)
        announcing.start()
        while announcing.problem() or made[-1].sets < 5:
            if announcing.problem() not in problems:
                problems.append(announcing.problem())
            await asyncio.sleep(0.01)
        kinds = [one.kind for one in announcing.events.last(100)]
        assert kinds.count("speaker_failed") == 3
        await announcing.close()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert problems[-2:] == ["a mistake of ours", ""]
    # It is told again at each plan, changed or not, for what it is told counts for a time only.
    assert made[-1].sets >= 5
    assert [one.closed for one in made] == [False, False, False, True]


def test_one_that_is_closed_while_it_starts_is_closed(tmp_path: Path) -> None:
    class Slow(ToySpeaker):
        told = asyncio.Event()

        async def start(self) -> None:
            await asyncio.sleep(3600)

        def set(self, announcements: frozenset[Announcement]) -> None:
            super().set(announcements)
            if self.sets > 2:  # also while it starts
                self.told.set()

    slow = Slow(None)

    async def run() -> None:
        announcing = Announcing(config_in(tmp_path), lambda: (), lambda *_both: slow)
        topology = load_topology(EXAMPLES / "vips.toml")
        announcing.adopt_network(NetworkSnapshot(topology, "1", CoverageTable(topology)), NO_VIEW)
        announcing.start()
        await slow.told.wait()
        assert "first checks" in announcing.problem()
        await announcing.close()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert slow.closed


def test_routers_that_are_changed_while_it_is_loaded_count_though_it_fails(tmp_path: Path) -> None:
    class Loading(ToySpeaker):
        told = asyncio.Event()

        async def load(self) -> None:
            await self.told.wait()
            raise BgpError("no memory")

    loading, next_one = Loading(None), ToySpeaker(None)
    waiting = iter([loading, next_one])

    async def run() -> None:
        announcing = Announcing(config_in(tmp_path), lambda: (), lambda *_both: next(waiting))
        topology = load_topology(EXAMPLES / "vips.toml")
        announcing.adopt_network(NetworkSnapshot(topology, "1", CoverageTable(topology)), NO_VIEW)
        announcing.start()
        await asyncio.sleep(0)
        one = announcing.config.routers[0].model_copy(update={"password_file": None})
        asked = announcing.prepare(config_in(tmp_path).model_copy(update={"routers": (one,)}))
        announcing.change(asked)
        loading.told.set()
        while announcing.problem():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert set(announcing.said.sessions) == {one.key for one in asked.sessions}
        await announcing.close()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_it_starts_though_what_it_waits_for_fails(tmp_path: Path) -> None:
    speaker = ToySpeaker(None)

    async def fails() -> None:
        raise ZeroDivisionError("a mistake of ours")

    async def run() -> None:
        problems: list[str] = []
        started = StartedSpeaker(lambda: speaker, frozenset, problems.append, lambda: None)
        await started.start(fails)
        assert not started.problem
        assert not problems

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_plan_that_cannot_be_told_of_is_gone_by_nevertheless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker, new = ToySpeaker(None), IPv4Address("192.0.2.77")

    def fails(_event: Event) -> None:
        raise ZeroDivisionError("a mistake of ours")

    async def run() -> None:
        announcing = Announcing(config_in(tmp_path), lambda: (), lambda *_both: speaker)
        topology = load_topology(EXAMPLES / "vips.toml")
        announcing.adopt_network(NetworkSnapshot(topology, "1", CoverageTable(topology)), NO_VIEW)
        announcing.start()
        monkeypatch.setattr(announcing.events, "add", fails)
        own = topology.server(announcing.me)
        more = replace(own, vips=(*own.vips, Vip(ipv4=new)))
        servers = tuple(more if one is own else one for one in topology.servers)
        topology = replace(topology, servers=servers)
        announcing.adopt_network(NetworkSnapshot(topology, "2", CoverageTable(topology)), NO_VIEW)
        planned_s = announcing.planned_s
        while announcing.planned_s == planned_s:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert new in announcing.plan.addresses
        await announcing.close()

    asyncio.run(asyncio.wait_for(run(), 20))
