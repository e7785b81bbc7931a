"""Whatever a router sends, the server goes on announcing, limited, and says what helps."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headrace.bgp.events import (
    DownReason,
    Dropped,
    DropReason,
    Lost,
    Received,
    SessionDown,
    SessionUp,
    SpeakerChanged,
)
from headrace.bgp.exabgp.speaker import ExaBgpSpeaker
from headrace.bgp.session import Intake
from tests.harness.namespaces import Namespaces
from tests.harness.polling import eventually
from tests.harness.raw_bgp import (
    NEXT_HOP,
    ORIGIN,
    RawRouter,
    communities,
    message,
    open_message,
    path,
    update,
)
from tests.harness.speakers import BirdRouter, RunningSpeaker
from tests.integration.bgp.site import (
    VIPS,
    announcement,
    bird_neighbor,
    make_site,
    session,
)

MOST = 3


class Scene:
    """A server with two routers: the first says what a test wants, the second is a sound BIRD."""

    def __init__(self, namespaces: Namespaces, directory: Path) -> None:
        site = make_site(namespaces, 2)
        # One server with both links: the second server's end of the link is not used.
        self.server = site.servers[0]
        namespaces.link(
            (self.server, "to2", ["10.99.3.2/30"]), (site.router, "s3", ["10.99.3.1/30"])
        )
        self.listener = site.router.listen("10.99.1.1", 179)
        text = "router id 10.99.0.1;\n" + bird_neighbor(3)
        # BIRD would listen on every address otherwise, of which the first is taken.
        self.sound = BirdRouter(site.router, directory, text.replace("hold", "strict bind; hold"))
        self.speaker = RunningSpeaker(
            self.server,
            directory,
            ExaBgpSpeaker,
            (session(1, intake=Intake(MOST)), session(3)),
            user="root",
        )

    @contextmanager
    def router(self, *parts: bytes, open_with: bytes | None = None) -> Iterator[RawRouter]:
        """Let the hostile router open a session and then send `parts`."""

        def play(connection: socket.socket) -> None:
            connection.sendall(open_message() if open_with is None else open_with)
            connection.sendall(message(4))
            for part in parts:
                connection.sendall(part)

        with RawRouter(self.listener, play) as router:
            self.speaker.start(announcement(VIPS[0]))
            yield router

    def still_serves(self) -> None:
        """The sound router has the route all the time, from a speaker that was started once."""
        self.sound.goes_via(VIPS[0], "10.99.3.2")
        assert len(self.speaker.found(SpeakerChanged)) == 1
        assert os.path.exists(f"/proc/{self.speaker.ask('pid')}")


@pytest.fixture
def scene(namespaces: Namespaces, tmp_path: Path) -> Scene:
    """The two routers and the server."""
    return Scene(namespaces, tmp_path)


def test_too_many_prefixes_are_cut_and_the_session_stays(scene: Scene) -> None:
    flood = [update([f"8.{high}.{low}.0/24" for low in range(256)]) for high in range(100)]
    with scene.router(*flood, update(["9.0.0.0/8"]), update([], withdrawn=["8.0.0.0/24"])):
        dropped = scene.speaker.event(Dropped)
        assert dropped.reason is DropReason.TOO_MANY
        assert dropped.remedy
        scene.speaker.event(Lost)
        assert len(scene.speaker.found(Received)) == MOST
        assert scene.speaker.ask("dropped")[DropReason.TOO_MANY] == 25_600 - MOST + 1
        assert not scene.speaker.found(SessionDown)
        scene.still_serves()


def test_what_is_no_coverage_is_dropped_by_its_reason(scene: Scene) -> None:
    prefixes = ["0.0.0.0/0", VIPS[0], "10.0.0.0/8", "8.8.8.8/32", "127.0.0.0/8", "8.8.8.0/24"]
    with scene.router(update(prefixes, ORIGIN + path(64500, 15169) + NEXT_HOP)):
        taken = scene.speaker.event(Received)
        assert str(taken.prefix) == "8.8.8.0/24"
        assert taken.attributes.as_path == (64500, 15169)
        reasons = {one.reason for one in scene.speaker.found(Dropped)}
        assert reasons == {
            DropReason.DEFAULT_ROUTE,
            DropReason.OWN,
            DropReason.NOT_GLOBAL,
            DropReason.TOO_LONG,
        }
        assert len(scene.speaker.found(Received)) == 1
        scene.still_serves()


def test_a_wrong_as_is_named(scene: Scene) -> None:
    with scene.router(open_with=open_message(64999)):
        down = scene.speaker.event(SessionDown)
        assert down.reason is DownReason.WRONG_AS
        assert "`as` in [[router]]" in down.remedy
        scene.still_serves()
        # Each try is refused; that is reported once.
        eventually(lambda: len(scene.speaker.found(SessionUp)) == 1, "only the sound one is up")
        assert len(scene.speaker.found(SessionDown)) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10,
        b"\xff" * 16 + b"\xff\xff\x02" + b"\x00" * 60_000,
        b"\xff" * 16 + b"\x00\x00\x02",
        message(9, b"?"),
        message(2, b"\xff\xff\xff\xff"),
    ],
    ids=["http", "long", "short", "kind", "lengths"],
)
def test_garbage_ends_that_session_alone(scene: Scene, garbage: bytes) -> None:
    with scene.router(garbage) as router:
        down = scene.speaker.event(SessionDown)
        assert down.reason in {DownReason.MALFORMED, DownReason.PEER_CLOSED}
        assert down.remedy
        # It is tried again, and what was reported is not reported for each time.
        eventually(lambda: len(router.heard) >= 2, "it connects again")
        scene.still_serves()


def test_a_broken_attribute_loses_its_prefixes_and_no_more(scene: Scene) -> None:
    # RFC 7606: what comes with it counts as withdrawn.
    broken = b"\x40\x02\x06\x09\x01\x00\x00\x00\x01"
    parts = [
        update(["8.1.0.0/16"]),
        update(["8.1.0.0/16", "8.2.0.0/16"], ORIGIN + broken + NEXT_HOP),
        update(["8.3.0.0/16"]),
    ]
    with scene.router(*parts):
        scene.speaker.event(Received, lambda one: str(one.prefix) == "8.3.0.0/16")
        lost = scene.speaker.event(Lost)
        assert str(lost.prefix) == "8.1.0.0/16"
        assert len(scene.speaker.found(Received)) == 2
        scene.still_serves()


def test_huge_attributes_are_read_or_refused_within_bounds(scene: Scene) -> None:
    unknown = b"\xd0\xee" + (3000).to_bytes(2, "big") + b"\xaa" * 3000
    parts = [
        update(["8.1.0.0/16"], ORIGIN + path(*[64500] * 250) + NEXT_HOP),
        update(["8.2.0.0/16"], ORIGIN + path(64500) + NEXT_HOP + unknown),
        update(
            ["8.3.0.0/16"],
            ORIGIN + path(64500) + NEXT_HOP + communities(*[(64500, n) for n in range(900)]),
        ),
    ]
    with scene.router(*parts):
        last = scene.speaker.event(Received, lambda one: str(one.prefix) == "8.3.0.0/16")
        assert len(last.attributes.communities) <= 32
        first = scene.speaker.event(Received, lambda one: str(one.prefix) == "8.1.0.0/16")
        assert len(first.attributes.as_path) <= 64
        scene.still_serves()


def test_a_router_that_flaps_brings_and_takes_what_it_announces(scene: Scene) -> None:
    def play(connection: socket.socket) -> None:
        connection.sendall(open_message() + message(4) + update(["8.8.8.0/24"]))
        connection.recv(65536)
        connection.settimeout(0.3)
        try:
            while connection.recv(65536):
                pass
        except TimeoutError:
            connection.close()

    with RawRouter(scene.listener, play):
        scene.speaker.start(announcement(VIPS[0]))
        scene.speaker.event(Lost, number=2)
        ups = scene.speaker.found(SessionUp, lambda one: str(one.session) == "10.99.1.1")
        assert len(ups) >= 2
        scene.still_serves()
