"""FRR's bfdd beside ExaBGP: a router that is gone without a word is noticed within 0.3 s."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from headrace.bgp.bfd.monitor import NO_ANSWER, Bfd
from headrace.bgp.bfd.text import Pace
from headrace.bgp.events import BfdDown, BfdUp, DownReason, SessionDown, SessionUp
from headrace.bgp.exabgp.speaker import ExaBgpSpeaker
from headrace.bgp.session import Session
from tests.harness.namespaces import Namespaces
from tests.harness.polling import eventually
from tests.harness.speakers import BirdRouter, RunningSpeaker
from tests.integration.bgp.site import (
    NEXT,
    NEXT_V6,
    VIPS,
    VIPS_V6,
    Site,
    announcement,
    bird_neighbor,
    make_site,
    session,
)

BFD = """
protocol bfd {
    interface "s*" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; };
}
"""


def speaker(site: Site, number: int, directory: Path, *sessions: Session) -> RunningSpeaker:
    """A server's ExaBGP and bfdd."""
    bfd = Bfd(directory / f"bfd{number}", Pace())
    bfd.directory.mkdir()
    where = site.servers[number - 1]
    return RunningSpeaker(where, directory, ExaBgpSpeaker, sessions, user="root", bfd=bfd)


def test_a_black_hole_moves_the_vip_long_before_the_hold_time(
    namespaces: Namespaces, open_path: Path
) -> None:
    site = make_site(namespaces)
    text = "router id 10.99.0.1;\n" + BFD
    for number in (1, 2):
        for v6 in (False, True):
            slow = bird_neighbor(number, v6=v6, more="bfd on;").replace("time 3;", "time 90;")
            text += slow
    router = BirdRouter(site.router, open_path, text)
    servers = []
    for number, med in ((1, 100), (2, 200)):
        # A hold time that cannot be what is noticed first.
        pair = [session(number, v6=v6, bfd=True, hold_time_s=90) for v6 in (False, True)]
        one = speaker(site, number, open_path, *pair)
        one.start(announcement(VIPS[0], med), announcement(VIPS_V6[0], med))
        one.event(SessionUp, number=2)
        servers.append(one)
    router.goes_via(VIPS[0], NEXT[0])
    eventually(lambda: router.ask("show", "bfd", "sessions").count("Up") == 4, "BFD is up")
    assert not servers[0].found(BfdDown)
    servers[0].event(BfdUp, number=2)

    site.servers[0].black_hole("to1")
    router.goes_via(VIPS[0], NEXT[1])
    router.goes_via(VIPS_V6[0], NEXT_V6[1])
    down = servers[0].event(SessionDown)
    assert down.reason is DownReason.BFD
    assert servers[0].event(BfdDown).detail == down.detail
    assert "expired" in down.detail
    site.servers[0].heal()
    router.goes_via(VIPS[0], NEXT[0])
    router.goes_via(VIPS_V6[0], NEXT_V6[0])
    servers[0].close(graceful=False)
    assert not site.servers[0].pids()


def test_bfdd_that_dies_costs_nothing_and_leaves_nothing(
    namespaces: Namespaces, open_path: Path
) -> None:
    site = make_site(namespaces, 1)
    # The router has no BFD, so that its end means nothing to it.
    router = BirdRouter(site.router, open_path, "router id 10.99.0.1;\n" + bird_neighbor(1))
    one = speaker(site, 1, open_path, session(1, bfd=True))
    one.start(announcement(VIPS[0]))
    router.goes_via(VIPS[0], NEXT[0])
    file = open_path / "bfd1" / "bfdd.pid"
    one.ask("pid")  # Answered when it has started.
    first = int(file.read_text())
    os.kill(first, signal.SIGKILL)
    eventually(lambda: file.exists() and file.read_text().strip() not in ("", str(first)), "again")
    assert not one.found(SessionDown)
    assert one.event(BfdDown).detail.startswith("bfdd ended")
    not_up = one.event(BfdDown, lambda found: found.detail == NO_ANSWER)
    assert "speak BFD on the router too" in not_up.remedy
    one.process.kill()
    eventually(lambda: not site.servers[0].pids(), "bfdd ends with who started it")
