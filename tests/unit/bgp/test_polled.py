"""A speaker over a daemon reports what changes, and starts over when the daemon was away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from headrace.bgp.announcement import Announcement, IPNetwork
from headrace.bgp.errors import BgpError, TooMuchError
from headrace.bgp.events import (
    Acknowledged,
    Attributes,
    DownReason,
    Dropped,
    DropReason,
    Lost,
    Received,
    Refused,
    RoutersChanged,
    SessionDown,
    SessionKey,
    SessionUp,
    SpeakerChanged,
)
from headrace.bgp.polled import PolledSpeaker, RefusedError, Seen
from headrace.bgp.session import Intake
from tests.unit.bgp.test_received import ROUTER
from tests.unit.bgp.test_session import session

ONE = Announcement(ip_network("192.0.2.1/32"), med=100)
TWO = Announcement(ip_network("192.0.2.2/32"), med=100)
TAKEN = ip_network("8.8.0.0/16")


class FakeDaemon:
    """A daemon that does what a test says."""

    def __init__(self) -> None:
        self.applied: list[frozenset[Announcement]] = []
        self.error: BgpError | None = None
        self.seen = Seen(True)
        self.flooded = False
        self.routes: dict[IPNetwork, Attributes] = {TAKEN: Attributes()}

    async def apply(self, announcements: list[Announcement]) -> None:
        if self.error is not None:
            raise self.error
        self.applied.append(frozenset(announcements))

    async def withdraw(self) -> None:
        if self.error is not None and not isinstance(self.error, RefusedError):
            raise self.error
        self.applied.append(frozenset())

    async def sessions(self) -> dict[SessionKey, Seen]:
        if self.error is not None and not isinstance(self.error, RefusedError):
            raise self.error
        return {ROUTER: self.seen}

    async def received(self, session: SessionKey) -> Mapping[IPNetwork, Attributes]:
        if self.flooded:
            raise TooMuchError("16 MB")
        return self.routes

    def check(self, announcements: Iterable[Announcement]) -> None:
        pass

    def disconnect(self) -> None:
        pass


async def until(events: list[Any], kind: type[object], number: int = 1) -> None:
    """Wait for the events of that kind, of which a test is the only cause."""
    for _ in range(2000):
        if len([one for one in events if isinstance(one, kind)]) >= number:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{kind.__name__} never came: {events}")


def test_its_life() -> None:
    async def run() -> None:
        events: list[Any] = []
        daemon = FakeDaemon()
        speaker = PolledSpeaker((session(intake=Intake(5)),), events.append, daemon=daemon)
        speaker.set(frozenset({ONE}))
        await speaker.start()
        await until(events, Received)
        assert [type(one) for one in events] == [
            Acknowledged,
            SpeakerChanged,
            SessionUp,
            Received,
        ]
        speaker.set(frozenset({TWO}))
        await until(events, Acknowledged, 3)
        assert events[-2:] == [Acknowledged(TWO.prefix), Acknowledged(ONE.prefix, withdrawn=True)]

        daemon.error = BgpError("gone")
        await until(events, SessionDown)
        await until(events, Lost)
        (down,) = (one for one in events if isinstance(one, SessionDown))
        assert (down.reason, down.detail) == (DownReason.SPEAKER, "gone")
        daemon.error = None
        await until(events, SessionUp, 2)
        assert daemon.applied[-1] == {TWO}
        await speaker.close(graceful=True)
        assert daemon.applied[-1] == {TWO}

    asyncio.run(asyncio.wait_for(run(), 20))


def test_what_must_go_goes_whatever_the_daemon_refuses() -> None:
    async def run() -> None:
        events: list[Any] = []
        daemon = FakeDaemon()
        speaker = PolledSpeaker((session(),), events.append, daemon=daemon)
        speaker.set(frozenset({ONE}))
        await speaker.start()
        daemon.error = RefusedError("no")
        # One more: what was announced stays.
        speaker.set(frozenset({ONE, TWO}))
        await until(events, Refused)
        assert daemon.applied == [{ONE}]
        # One less.
        speaker.set(frozenset({TWO}))
        await until(events, Acknowledged, 2)
        assert events[-1] == Acknowledged(ONE.prefix, withdrawn=True)
        assert daemon.applied == [{ONE}, frozenset()]
        daemon.error = None
        speaker.set(frozenset({ONE, TWO}))
        await until(events, Acknowledged, 4)
        assert daemon.applied[-1] == {ONE, TWO}
        assert len([one for one in events if isinstance(one, Refused)]) == 1
        await speaker.close(graceful=True)

    asyncio.run(asyncio.wait_for(run(), 20))


def test_the_same_again_is_told_once_and_what_somebody_withdrew_again() -> None:
    async def run() -> None:
        events: list[Any] = []
        daemon = FakeDaemon()
        speaker = PolledSpeaker((session(),), events.append, daemon=daemon)
        speaker.set(frozenset({ONE}))
        await speaker.start()
        await until(events, SessionUp)
        for _time in range(3):
            speaker.set(frozenset({ONE}))
            await asyncio.sleep(0)
        assert daemon.applied == [{ONE}]
        speaker.tell_again()
        await until(events, Acknowledged, 2)
        assert daemon.applied == [{ONE}, {ONE}]
        await speaker.close(graceful=True)

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_router_that_floods_the_daemon_is_reported_and_no_more() -> None:
    async def run() -> None:
        events: list[Any] = []
        daemon = FakeDaemon()
        daemon.flooded = True
        speaker = PolledSpeaker((session(intake=Intake(5)),), events.append, daemon=daemon)
        await speaker.start()
        await until(events, Dropped)
        (dropped,) = (one for one in events if isinstance(one, Dropped))
        assert dropped.reason is DropReason.TOO_MANY
        assert not [one for one in events if isinstance(one, SessionDown)]
        await speaker.close(graceful=True)

    asyncio.run(asyncio.wait_for(run(), 20))


def test_closed_for_good_it_withdraws() -> None:
    async def run() -> None:
        daemon = FakeDaemon()
        speaker = PolledSpeaker((session(),), lambda _event: None, daemon=daemon)
        speaker.set(frozenset({ONE}))
        await speaker.start()
        await speaker.close(graceful=False)
        assert daemon.applied == [{ONE}, frozenset()]

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_session_that_the_daemon_does_not_have_is_reported() -> None:
    async def run() -> None:
        events: list[Any] = []
        daemon = FakeDaemon()
        other = session(peer=ip_network("192.0.2.77/32").network_address)
        speaker = PolledSpeaker((session(), other), events.append, daemon=daemon)
        await speaker.start()
        await until(events, SessionDown)
        (down,) = (one for one in events if isinstance(one, SessionDown))
        assert "no such session" in down.detail
        await speaker.close(graceful=True)

    asyncio.run(asyncio.wait_for(run(), 20))


def test_other_routers_may_be_named_before_it_starts() -> None:
    async def run() -> None:
        events: list[Any] = []
        other = replace(session(), peer=ip_address("192.0.2.99"))
        speaker = PolledSpeaker((other,), events.append, daemon=FakeDaemon())
        speaker.change((session(),), {})
        (changed,) = events
        assert isinstance(changed, RoutersChanged)
        assert set(changed.routers) == {session().key}
        await speaker.start()
        await until(events, SessionUp)
        await speaker.close(graceful=True)

    asyncio.run(asyncio.wait_for(run(), 60))
