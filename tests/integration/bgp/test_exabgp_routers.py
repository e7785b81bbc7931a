"""Other routers for an ExaBGP that runs: sessions that are as before do not end."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from headrace.bgp.bfd.monitor import Bfd
from headrace.bgp.bfd.text import Pace
from headrace.bgp.events import (
    BfdUp,
    Received,
    Refused,
    RoutersChanged,
    SessionDown,
    SessionKey,
    SessionUp,
)
from headrace.bgp.exabgp.speaker import ExaBgpSpeaker
from headrace.bgp.session import Intake, Session, read_passwords
from tests.harness.namespaces import Namespaces
from tests.harness.polling import eventually
from tests.harness.speakers import BirdRouter, RunningSpeaker
from tests.integration.bgp.site import (
    NEXT,
    PASSWORD,
    VIPS,
    VIPS_V6,
    Site,
    announcement,
    bird_neighbor,
    make_site,
    session,
    write_password,
)

FIRST, SECOND = "10.99.1.1", "10.99.1.5"
BFD = """
protocol bfd {
    interface "s*" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; };
}
protocol static { ipv4; route 203.0.113.0/24 blackhole; }
"""


def second(more: str = "") -> str:
    """A second router's side of a session, on the same link."""
    text = bird_neighbor(1, more=more, export="all").replace(f"local {FIRST}", f"local {SECOND}")
    return text.replace("s1v4", "second").replace("neighbor 10.99.1.2", "neighbor 10.99.1.6")


def second_session(**changes: object) -> Session:
    """The session with it."""
    own = {"peer": ip_address(SECOND), "local": ip_address("10.99.1.6")}
    return replace(session(1), **own, **changes)  # type: ignore[arg-type]


def two_routers(namespaces: Namespaces, directory: Path, more: str = "") -> tuple[Site, BirdRouter]:
    """One BIRD that has a session from each of two addresses, and one of IPv6."""
    site = make_site(namespaces, 1)
    site.router.run("ip", "addr", "add", f"{SECOND}/30", "dev", "s1")
    site.servers[0].run("ip", "addr", "add", "10.99.1.6/30", "dev", "to1")
    text = "router id 10.99.0.1;\n" + BFD + bird_neighbor(1) + bird_neighbor(1, v6=True)
    return site, BirdRouter(site.router, directory, text + second(more))


def speaker(site: Site, directory: Path, *sessions: Session) -> RunningSpeaker:
    """The server's ExaBGP."""
    bfd = Bfd(directory / "bfd", Pace())
    where = site.servers[0]
    return RunningSpeaker(where, directory, ExaBgpSpeaker, sessions, user="root", bfd=bfd)


def change(running: RunningSpeaker, *sessions: Session) -> None:
    """Let it speak with others."""
    running.say("change", (sessions, read_passwords(sessions)))


def ended(running: RunningSpeaker, peer: str) -> list[SessionDown]:
    """How a session ended, each time."""
    return running.found(SessionDown, lambda one: str(one.session) == peer)


def established(router: BirdRouter, protocol: str) -> str:
    """Since when BIRD has that session; "" while it has it not."""
    for line in router.ask("show", "protocols", protocol).splitlines():
        words = line.split()
        if words[:2] == [protocol, "BGP"] and words[-1] == "Established":
            return words[4]
    return ""


def test_a_router_comes_changes_and_goes_and_the_others_stay(
    namespaces: Namespaces, open_path: Path
) -> None:
    site, router = two_routers(namespaces, open_path)
    first = session(1)
    one = speaker(site, open_path, first)
    one.start(announcement(VIPS[0]), announcement(VIPS[1], 200))
    one.event(SessionUp)
    router.goes_via(VIPS[1], NEXT[0])
    since = established(router, "s1v4")
    one.set(announcement(VIPS[0], 150))  # what stood in the first configuration is gone
    router.goes_via(VIPS[1], None)

    change(one, first, second_session(), session(1, v6=True))
    assert one.event(RoutersChanged).routers.keys() == {
        one.key for one in (first, second_session(), session(1, v6=True))
    }
    one.event(SessionUp, number=3)
    eventually(lambda: router.ask("show", "route", VIPS[0]).count("unicast [") == 2, "both have it")
    assert "10.99.1.6" in router.ask("show", "route", VIPS[0])
    assert router.attributes(VIPS[0])["med"] == "150"
    # Commands reach all of them; what was withdrawn before is not there again.
    one.set(announcement(VIPS[0], 160), announcement(VIPS_V6[0], 160))
    router.goes_via(VIPS_V6[0], "fd99:1::2")
    eventually(lambda: router.attributes(VIPS[0])["med"] == "160", "the new one counts")
    assert "Network not found" in router.ask("show", "route", VIPS[1])

    # Another hold time: that session is made again, with all that is announced.
    change(one, first, second_session(hold_time_s=30), session(1, v6=True))
    one.event(SessionUp, lambda up: str(up.session) == SECOND, number=2)
    one.set(announcement(VIPS[0], 170), announcement(VIPS[1], 170))
    eventually(lambda: router.ask("show", "route", VIPS[1]).count("unicast [") == 2, "both")
    assert len(ended(one, SECOND)) == 1
    # Gone.
    change(one, first)
    one.event(RoutersChanged, number=3)
    eventually(lambda: not established(router, "second"), "it is gone")
    assert router.ask("show", "route", VIPS[0]).count("unicast [") == 1
    # And back, with nothing but what is announced now.
    one.set(announcement(VIPS[0], 180))
    change(one, first, second_session())
    one.event(SessionUp, lambda up: str(up.session) == SECOND, number=3)
    eventually(lambda: router.ask("show", "route", VIPS[0]).count("unicast [") == 2, "both")
    assert "Network not found" in router.ask("show", "route", VIPS[1])
    # The first session never ended, on either side.
    assert established(router, "s1v4") == since
    assert not ended(one, FIRST)
    assert one.ask("pid")
    one.close(graceful=False)
    assert not site.servers[0].pids()


def test_what_cannot_be_done_leaves_all_as_it_was(namespaces: Namespaces, open_path: Path) -> None:
    site, router = two_routers(namespaces, open_path)
    holder = "import socket, time; s = socket.create_server(('10.99.1.6', 1790)); time.sleep(99)"
    site.servers[0].logged(["python3", "-c", holder], open_path / "port.log")
    eventually(lambda: ":1790" in site.servers[0].run("ss", "-ltn"), "the port is taken")
    first = session(1)
    one = speaker(site, open_path, first)
    one.start(announcement(VIPS[0]))
    one.event(SessionUp)
    router.goes_via(VIPS[0], NEXT[0])
    change(one, replaced := session(1, hold_time_s=60), second_session(passive=True, port=1790))
    refused = one.event(Refused)
    assert refused.prefix is None
    assert not one.found(RoutersChanged, lambda found: len(found.routers) == 2)
    one.set(announcement(VIPS[0]), announcement(VIPS[1]))
    router.goes_via(VIPS[1], NEXT[0])
    change(one, first, second_session())
    one.event(SessionUp, lambda up: str(up.session) == SECOND)
    assert replaced.key == first.key
    one.close(graceful=False)


def test_a_password_and_what_is_taken_change_one_session_only(
    namespaces: Namespaces, open_path: Path
) -> None:
    site, _router = two_routers(namespaces, open_path, f'password "{PASSWORD}";')
    file = write_password(open_path)
    file.write_text("wrong\n")
    first, other = session(1), second_session(password_file=file)
    one = speaker(site, open_path, first, other)
    one.start(announcement(VIPS[0]))
    one.event(SessionUp, lambda up: str(up.session) == FIRST)
    one.event(SessionDown, lambda down: str(down.session) == SECOND)
    file.write_text(PASSWORD + "\n")
    change(one, first, other)  # the same file, with another content
    one.event(SessionUp, lambda up: str(up.session) == SECOND)
    change(one, first, second_session(password_file=file, intake=Intake(most=10, private=True)))
    one.event(Received, lambda got: str(got.prefix) == "203.0.113.0/24")
    assert not ended(one, FIRST)
    one.close(graceful=False)


def test_bfd_of_another_router_leaves_the_first_alone(
    namespaces: Namespaces, open_path: Path
) -> None:
    site, router = two_routers(namespaces, open_path, "bfd on;")
    router.write(
        "router id 10.99.0.1;\n" + BFD + bird_neighbor(1, more="bfd on;") + second("bfd on;")
    )
    router.ask("configure")
    first = session(1, bfd=True)
    one = speaker(site, open_path, session(1))
    one.start(announcement(VIPS[0]))
    one.event(SessionUp)
    change(one, first)
    one.event(BfdUp, lambda up: up.session == first.key)
    change(one, first, second_session(bfd=True))
    one.event(BfdUp, lambda up: up.session == second_session().key)
    one.event(SessionUp, lambda up: str(up.session) == SECOND)
    change(one, first)
    one.event(RoutersChanged, lambda found: found.bfd == {SessionKey(first.peer)}, number=2)
    assert not ended(one, FIRST)
    one.close(graceful=False)
    assert not site.servers[0].pids()


def test_routers_that_exabgp_dies_over_are_those_of_the_next(
    namespaces: Namespaces, open_path: Path
) -> None:
    site, _router = two_routers(namespaces, open_path)
    one = speaker(site, open_path, session(1))
    one.start(announcement(VIPS[0]))
    one.event(SessionUp)
    pid = one.ask("pid")
    os.kill(pid, signal.SIGSTOP)
    change(one, session(1), second_session())
    one.ask("dropped")  # it was told by now
    os.kill(pid, signal.SIGKILL)
    one.event(SessionUp, lambda up: str(up.session) == SECOND)
    assert len(one.found(RoutersChanged)) == 1
    one.close(graceful=False)
