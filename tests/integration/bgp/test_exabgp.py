"""Real ExaBGP announces to a real BIRD what it is told, and survives what can happen to it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.bgp.announcement import GRACEFUL_SHUTDOWN
from headrace.bgp.backoff import FIRST_S, SOUND_S
from headrace.bgp.events import (
    Acknowledged,
    DownReason,
    SessionDown,
    SessionUp,
    SpeakerChanged,
    SpeakerState,
)
from headrace.bgp.exabgp.speaker import ExaBgpSpeaker
from headrace.bgp.session import Session
from tests.harness.namespaces import Namespaces
from tests.harness.polling import eventually
from tests.harness.speakers import BirdRouter, RunningSpeaker
from tests.integration.bgp.site import (
    NEXT,
    NEXT_V6,
    PASSWORD,
    SITE_AS,
    VIPS,
    VIPS_V6,
    Site,
    announcement,
    bird_neighbor,
    make_site,
    session,
    write_password,
)

Sessions = Callable[[int], tuple[Session, ...]]


def speaker(site: Site, number: int, directory: Path, *sessions: Session) -> RunningSpeaker:
    """A server's ExaBGP. Its interpreter lies where only root can read it, in development."""
    where = site.servers[number - 1]
    return RunningSpeaker(where, directory, ExaBgpSpeaker, sessions, user="root")


def one_router(site: Site, directory: Path, more: str = "") -> BirdRouter:
    """BIRD with a session of each family to both servers."""
    text = f"router id 10.99.0.1;\nfilter ours {{ accept; }}\n{more}"
    for number in (1, 2):
        text += bird_neighbor(number) + bird_neighbor(number, v6=True)
    return BirdRouter(site.router, directory, text)


def both_servers(site: Site, directory: Path) -> list[RunningSpeaker]:
    """Each announces its own VIPs with 100 and its neighbour's with 200."""
    running = []
    for number in (1, 2):
        one = speaker(site, number, directory, session(number), session(number, v6=True))
        own, other = (0, 1) if number == 1 else (1, 0)
        one.start(
            announcement(VIPS[own], 100),
            announcement(VIPS[other], 200),
            announcement(VIPS_V6[own], 100),
            announcement(VIPS_V6[other], 200),
        )
        running.append(one)
    return running


def owners_have_them(router: BirdRouter) -> None:
    """Wait until each VIP goes to its owner."""
    for prefixes, hops in ((VIPS, NEXT), (VIPS_V6, NEXT_V6)):
        for prefix, hop in zip(prefixes, hops, strict=True):
            router.goes_via(prefix, hop)


def test_the_owner_has_its_vip_and_the_neighbour_takes_over(
    namespaces: Namespaces, tmp_path: Path
) -> None:
    site = make_site(namespaces)
    router = one_router(site, tmp_path)
    first, second = both_servers(site, tmp_path)
    owners_have_them(router)
    assert router.attributes(VIPS[0])["med"] == "100"
    assert router.attributes(VIPS[0])["as_path"] == str(SITE_AS)
    first.event(Acknowledged, number=4)  # the router may have the route before that is told
    assert len(first.found(Acknowledged)) == 4

    # Drained: announced with a worse metric than the neighbour's, then it is withdrawn.
    second.set(announcement(VIPS[0], 200), announcement(VIPS_V6[0], 200))
    router.goes_via(VIPS[1], NEXT[0])
    router.goes_via(VIPS_V6[1], NEXT_V6[0])
    second.event(Acknowledged, lambda one: one.withdrawn and str(one.prefix) == VIPS[1])

    # Killed: the kernel closes its connections.
    os.kill(first.ask("pid"), signal.SIGKILL)
    router.goes_via(VIPS[0], NEXT[1])
    died = first.event(SpeakerChanged, lambda one: one.state is SpeakerState.DIED)
    assert died.again_in_s is not None
    # And it comes back by itself, with everything announced.
    router.goes_via(VIPS[0], NEXT[0])
    first.event(SpeakerChanged, lambda one: one.state is SpeakerState.STARTED, number=2)
    first.close(graceful=False)
    router.goes_via(VIPS[0], NEXT[1])
    second.close(graceful=False)
    router.goes_via(VIPS[0], None)


def test_graceful_shutdown_and_prepending_and_communities_arrive(
    namespaces: Namespaces, tmp_path: Path
) -> None:
    site = make_site(namespaces)
    # The router honours RFC 8326, and makes preferences of the site's communities.
    text = "router id 10.99.0.1;\nfilter honour {\n"
    text += " if (65535, 0) ~ bgp_community then bgp_local_pref = 0;\n"
    text += f" if ({SITE_AS}, 90) ~ bgp_community then bgp_local_pref = 90;\n accept;\n}}\n"
    for number in (1, 2):
        text += bird_neighbor(number).replace("import all", "import filter honour")
    router = BirdRouter(site.router, tmp_path, text)
    first, second = (speaker(site, n, tmp_path, session(n)) for n in (1, 2))
    first.start(announcement(VIPS[0], 100, large_communities=frozenset({(SITE_AS, 1, 2)})))
    second.start(announcement(VIPS[0], 50, communities=frozenset({(SITE_AS, 90)})))
    router.goes_via(VIPS[0], NEXT[0])
    second.event(SessionUp)
    assert router.attributes(VIPS[0])["large_community"] == f"({SITE_AS}, 1, 2)"

    first.set(announcement(VIPS[0], 100, communities=frozenset({GRACEFUL_SHUTDOWN})))
    router.goes_via(VIPS[0], NEXT[1])
    first.set(announcement(VIPS[0], 100))
    router.goes_via(VIPS[0], NEXT[0])
    second.set(announcement(VIPS[0], 100))
    first.set(announcement(VIPS[0], 100, prepend=2))
    router.goes_via(VIPS[0], NEXT[1])
    second.set()
    router.goes_via(VIPS[0], NEXT[0])
    assert router.attributes(VIPS[0])["as_path"] == f"{SITE_AS} {SITE_AS} {SITE_AS}"


def test_password_and_hops_are_held_by_both_sides(namespaces: Namespaces, tmp_path: Path) -> None:
    site = make_site(namespaces)
    file = write_password(tmp_path)
    guarded = f'password "{PASSWORD}"; ttl security on;'
    text = "router id 10.99.0.1;\n" + bird_neighbor(1, more=guarded)
    text += bird_neighbor(1, v6=True, more=guarded) + bird_neighbor(2, more=guarded)
    router = BirdRouter(site.router, tmp_path, text)
    right: dict[str, Any] = {"password_file": file, "ttl_security_hops": 1}
    first = speaker(site, 1, tmp_path, session(1, **right), session(1, v6=True, **right))
    first.start(announcement(VIPS[0]), announcement(VIPS_V6[0]))
    router.goes_via(VIPS[0], NEXT[0])
    router.goes_via(VIPS_V6[0], NEXT_V6[0])
    # Nothing of the password can be seen from outside.
    command = Path(f"/proc/{first.ask('pid')}/cmdline").read_bytes()
    environment = Path(f"/proc/{first.ask('pid')}/environ").read_bytes()
    assert PASSWORD.encode() not in command + environment

    second = speaker(site, 2, tmp_path, session(2, ttl_security_hops=1))
    second.start(announcement(VIPS[1]))
    told = second.event(SessionDown)
    assert told.reason is DownReason.CONNECTING
    assert "MD5" in told.remedy
    assert router.via(VIPS[1]) is None


def test_a_frozen_speaker_is_found_and_replaced(namespaces: Namespaces, tmp_path: Path) -> None:
    site = make_site(namespaces)
    router = one_router(site, tmp_path)
    first, _second = both_servers(site, tmp_path)
    owners_have_them(router)
    frozen = first.ask("pid")
    os.kill(frozen, signal.SIGSTOP)
    router.goes_via(VIPS[0], NEXT[1])
    first.event(SpeakerChanged, lambda one: one.state is SpeakerState.HANGS)
    router.goes_via(VIPS[0], NEXT[0])
    eventually(lambda: not Path(f"/proc/{frozen}").exists(), "the frozen one is gone")


def test_a_speaker_that_is_killed_while_it_works_is_back_at_once_each_time(
    namespaces: Namespaces, tmp_path: Path
) -> None:
    site = make_site(namespaces)
    one_router(site, tmp_path)
    first, _second = both_servers(site, tmp_path)

    def killed(number: int) -> float:
        """Return how long it waits after being killed."""
        first.event(SessionUp, number=2 * number)  # a session of each family, each time
        up_s = time.monotonic()
        eventually(lambda: time.monotonic() - up_s > SOUND_S, "it works for a while", 2 * SOUND_S)
        os.kill(first.ask("pid"), signal.SIGKILL)
        dead = first.event(SpeakerChanged, lambda one: one.again_in_s is not None, number=number)
        assert dead.again_in_s is not None
        return dead.again_in_s

    assert [killed(number) for number in (1, 2, 3)] == [FIRST_S] * 3


def test_a_cut_link_moves_the_vip_and_a_healed_one_brings_it_back(
    namespaces: Namespaces, tmp_path: Path
) -> None:
    site = make_site(namespaces)
    router = one_router(site, tmp_path)
    first, _second = both_servers(site, tmp_path)
    owners_have_them(router)
    site.router.ip("link", "set", "dev", "s1", "down")
    router.goes_via(VIPS[0], NEXT[1])
    first.event(SessionDown)
    site.router.ip("link", "set", "dev", "s1", "up")
    site.router.ip("address", "replace", "fd99:1::1/64", "dev", "s1", "nodad")
    router.goes_via(VIPS[0], NEXT[0])
    # A black hole: nothing is said, so the hold time must show it.
    site.servers[0].black_hole("to1")
    router.goes_via(VIPS[0], NEXT[1])
    told = first.event(SessionDown, lambda one: one.reason is DownReason.HOLD_TIMER)
    assert "link" in told.remedy
    site.servers[0].heal()
    router.goes_via(VIPS[0], NEXT[0])


@pytest.mark.parametrize("promised", [True, False])
def test_routes_stay_when_the_router_was_promised_a_restart(
    namespaces: Namespaces, tmp_path: Path, *, promised: bool
) -> None:
    site = make_site(namespaces, 1)
    text = "router id 10.99.0.1;\n" + bird_neighbor(1, more="graceful restart on;")
    router = BirdRouter(site.router, tmp_path, text)
    made = session(1, graceful_restart_s=30 if promised else 0)
    first = speaker(site, 1, tmp_path, made)
    first.start(announcement(VIPS[0]))
    router.goes_via(VIPS[0], NEXT[0])
    first.close(graceful=True)
    if not promised:
        router.goes_via(VIPS[0], None)
        return
    eventually(
        lambda: "graceful restart active" in router.ask("show", "protocols", "all"), "it is kept"
    )
    assert router.via(VIPS[0]) == NEXT[0]
    # Its successor takes it over without a gap, and drops it at once when it closes for good.
    after = speaker(site, 1, tmp_path, made)
    after.start(announcement(VIPS[0]))
    after.event(SessionUp)
    assert router.via(VIPS[0]) == NEXT[0]
    after.close(graceful=False)
    router.goes_via(VIPS[0], None)


@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_is_left_behind_a_killed_supervisor(
    namespaces: Namespaces, tmp_path: Path, *, frozen: bool
) -> None:
    site = make_site(namespaces, 1)
    first = speaker(site, 1, tmp_path, session(1))
    first.start(announcement(VIPS[0]))
    first.event(SpeakerChanged)
    assert len(site.servers[0].pids()) == 3
    if frozen:
        os.kill(first.ask("pid"), signal.SIGSTOP)
    first.process.kill()
    first.process.wait()
    eventually(lambda: not site.servers[0].pids(), "ExaBGP and its helper are gone")
