"""BIRD and FRR as speakers where a site has them already, against a BIRD as the router."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.bgp.announcement import GRACEFUL_SHUTDOWN
from headrace.bgp.events import (
    Acknowledged,
    Dropped,
    DropReason,
    Received,
    Refused,
    SessionDown,
    SessionUp,
    SpeakerChanged,
    SpeakerState,
)
from headrace.bgp.session import Intake
from tests.harness.daemon_speakers import bird_speaker, frr_speaker
from tests.harness.namespaces import Namespace, Namespaces
from tests.harness.speakers import BirdRouter, FrrRouter, RunningSpeaker
from tests.integration.bgp.site import (
    NEXT,
    NEXT_V6,
    ROUTER_AS,
    SITE_AS,
    VIPS,
    VIPS_V6,
    announcement,
    bird_neighbor,
    make_site,
    session,
)

BIRD = f"""
router id 10.99.1.2;
include "INCLUDE";
protocol bgp isp4 {{
    local 10.99.1.2 as {SITE_AS}; neighbor 10.99.1.1 as {ROUTER_AS};
    hold time 3; error wait time 1,2; connect retry time 2;
    ipv4 {{ import all; export filter headrace; }};
}}
protocol bgp isp6 {{
    local fd99:1::2 as {SITE_AS}; neighbor fd99:1::1 as {ROUTER_AS};
    hold time 3; error wait time 1,2; connect retry time 2;
    ipv6 {{ import all; export filter headrace; }};
}}
"""
FRR = f"""
router bgp {SITE_AS}
 bgp router-id 10.99.1.2
 no bgp ebgp-requires-policy
 bgp graceful-restart-disable
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor 10.99.1.1 remote-as {ROUTER_AS}
 neighbor 10.99.1.1 timers 1 3
 neighbor 10.99.1.1 timers connect 2
 neighbor fd99:1::1 remote-as {ROUTER_AS}
 neighbor fd99:1::1 timers 1 3
 address-family ipv4 unicast
  neighbor 10.99.1.1 activate
  network 203.0.113.77/32
 exit-address-family
 address-family ipv6 unicast
  neighbor fd99:1::1 activate
 exit-address-family
exit
"""


@dataclass
class Running:
    """A daemon as a server's speaker, and how it is stopped and started."""

    speaker: RunningSpeaker
    kill: Callable[[], None]
    revive: Callable[[], None]


def with_bird(where: Namespace, directory: Path) -> Running:
    """BIRD, whose configuration includes what is written here."""
    include = directory / "headrace.conf"
    include.write_text("filter headrace { reject; }\n")
    made = BirdRouter(where, directory, BIRD.replace("INCLUDE", str(include)))
    speaker = RunningSpeaker(
        where, directory, bird_speaker, sessions(), socket=made.socket, include=include
    )
    return Running(speaker, made.stop, made.again)


def with_frr(where: Namespace, directory: Path) -> Running:
    """FRR's zebra and bgpd."""
    made = FrrRouter(where, directory, FRR, daemons=("zebra", "bgpd"))
    speaker = RunningSpeaker(where, directory, frr_speaker, sessions(), sockets=made.directory)
    return Running(speaker, lambda: made.stop("bgpd"), lambda: made.run("bgpd"))


def sessions() -> tuple[object, object]:
    """Both families; the router of one may announce two prefixes."""
    return session(1, intake=Intake(2)), session(1, v6=True)


@pytest.fixture(params=[with_bird, with_frr], ids=["bird", "frr"])
def site(
    request: pytest.FixtureRequest, namespaces: Namespaces, open_path: Path
) -> tuple[BirdRouter, Running]:
    """A router, and one server's speaker."""
    made = make_site(namespaces, 1)
    statics = """
protocol static {
    ipv4;
    route 0.0.0.0/0 blackhole;
    route 8.8.0.0/16 blackhole { bgp_med = 7; };
}
"""
    text = "router id 10.99.0.1;\n" + statics
    text += bird_neighbor(1, export="all") + bird_neighbor(1, v6=True)
    router = BirdRouter(made.router, open_path, text)
    return router, request.param(made.servers[0], open_path)


def test_it_announces_and_withdraws_what_it_is_told(site: tuple[BirdRouter, Running]) -> None:
    router, running = site
    speaker = running.speaker
    speaker.start(
        announcement(
            VIPS[0],
            100,
            prepend=2,
            communities=frozenset({GRACEFUL_SHUTDOWN, (SITE_AS, 7)}),
            large_communities=frozenset({(SITE_AS, 1, 2)}),
        ),
        announcement(VIPS_V6[0], 200),
    )
    router.goes_via(VIPS[0], NEXT[0])
    router.goes_via(VIPS_V6[0], NEXT_V6[0])
    assert router.attributes(VIPS[0]) | {"next_hop": "", "local_pref": "", "origin": ""} == {
        "origin": "",
        "as_path": f"{SITE_AS} {SITE_AS} {SITE_AS}",
        "next_hop": "",
        "med": "100",
        "local_pref": "",
        "community": f"({SITE_AS},7) (65535,0)",
        "large_community": f"({SITE_AS}, 1, 2)",
    }
    speaker.event(SessionUp, number=2)
    speaker.set(announcement(VIPS[1], 100), announcement(VIPS_V6[0], 300))
    router.goes_via(VIPS[1], NEXT[0])
    router.goes_via(VIPS[0], None)
    speaker.event(Acknowledged, lambda one: one.withdrawn)
    assert router.attributes(VIPS_V6[0])["med"] == "300"

    taken = speaker.event(Received)
    assert (str(taken.prefix), taken.attributes.as_path) == ("8.8.0.0/16", (ROUTER_AS,))
    assert taken.attributes.med == 7
    assert speaker.event(Dropped).reason is DropReason.DEFAULT_ROUTE

    speaker.close(graceful=False)
    router.goes_via(VIPS[1], None)
    router.goes_via(VIPS_V6[0], None)


def test_a_daemon_that_dies_is_told_everything_again(site: tuple[BirdRouter, Running]) -> None:
    router, running = site
    speaker = running.speaker
    speaker.start(announcement(VIPS[0]))
    router.goes_via(VIPS[0], NEXT[0])
    speaker.event(SessionUp, number=2)
    running.kill()
    router.goes_via(VIPS[0], None)
    speaker.event(SpeakerChanged, lambda one: one.state is SpeakerState.DIED)
    speaker.event(SessionDown, number=2)
    running.revive()
    router.goes_via(VIPS[0], NEXT[0])
    speaker.event(SpeakerChanged, lambda one: one.state is SpeakerState.STARTED, number=2)
    # It closes gracefully, and the daemon goes on.
    speaker.close(graceful=True)
    assert router.via(VIPS[0]) == NEXT[0]


def test_what_bird_refuses_leaves_what_was_there_but_for_what_must_go(
    namespaces: Namespaces, open_path: Path
) -> None:
    made = make_site(namespaces, 1)
    router = BirdRouter(made.router, open_path, "router id 10.99.0.1;\n" + bird_neighbor(1))
    running = with_bird(made.servers[0], open_path)
    running.speaker.start(announcement(VIPS[0]))
    router.goes_via(VIPS[0], NEXT[0])
    include = open_path / "headrace.conf"
    former = include.read_text()
    # Somebody breaks the site's own configuration: nothing that is written here can be loaded.
    (main,) = (file for file in open_path.glob("bird-*/bird.conf") if "isp4" in file.read_text())
    whole = main.read_text()
    main.write_text(whole + "protocol nonsense {}\n")
    running.speaker.set(announcement(VIPS[0]), announcement(VIPS[1]))
    refused = running.speaker.event(Refused)
    assert "bird.conf" in refused.detail
    assert include.read_text() == former
    assert router.via(VIPS[0]) == NEXT[0]
    # A VIP that is not served any more goes all the same, and the others with it.
    running.speaker.set(announcement(VIPS[1]))
    router.goes_via(VIPS[0], None)
    assert router.via(VIPS[1]) is None
    assert VIPS[0] not in include.read_text()
    main.write_text(whole)
    router.goes_via(VIPS[1], NEXT[0])
    assert router.via(VIPS[0]) is None


def test_what_must_go_from_bird_goes_though_its_file_cannot_be_written(
    namespaces: Namespaces, open_path: Path
) -> None:
    made = make_site(namespaces, 1)
    router = BirdRouter(made.router, open_path, "router id 10.99.0.1;\n" + bird_neighbor(1))
    place = open_path / "included"
    place.mkdir()
    running = with_bird(made.servers[0], place)
    running.speaker.start(announcement(VIPS[0]))
    router.goes_via(VIPS[0], NEXT[0])
    gone = place.rename(open_path / "gone")  # as a disk that is full: nothing new can be there
    running.speaker.set(announcement(VIPS[0]), announcement(VIPS[1]))
    refused = running.speaker.event(Refused)
    assert "cannot be written" in refused.detail
    assert router.via(VIPS[0]) == NEXT[0]
    running.speaker.set(announcement(VIPS[1]))
    router.goes_via(VIPS[0], None)
    gone.rename(place)
    router.goes_via(VIPS[1], NEXT[0])
    assert router.via(VIPS[0]) is None


def test_frr_keeps_what_is_not_from_here(namespaces: Namespaces, open_path: Path) -> None:
    made = make_site(namespaces, 1)
    router = BirdRouter(made.router, open_path, "router id 10.99.0.1;\n" + bird_neighbor(1))
    frr = FrrRouter(made.servers[0], open_path, FRR, daemons=("zebra", "bgpd"))
    speaker = RunningSpeaker(
        made.servers[0], open_path, frr_speaker, (session(1),), sockets=frr.directory
    )
    speaker.start(announcement(VIPS[0]))
    router.goes_via(VIPS[0], NEXT[0])
    router.goes_via("203.0.113.77/32", NEXT[0])
    speaker.close(graceful=False)
    router.goes_via(VIPS[0], None)
    assert router.via("203.0.113.77/32") == NEXT[0]
    assert "headrace-" not in frr.ask("show running-config")
