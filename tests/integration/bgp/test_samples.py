"""The configurations that docs/vip/speaker.md shows are those that work."""

from __future__ import annotations

import re
from functools import partial
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

from headrace.bgp.events import SessionUp
from headrace.bgp.exabgp.speaker import ExaBgpSpeaker
from headrace.bgp.session import Session
from tests.harness.daemon_speakers import bird_speaker, frr_speaker
from tests.harness.namespaces import Namespace, Namespaces
from tests.harness.polling import eventually
from tests.harness.speakers import BirdRouter, FrrRouter, RunningSpeaker
from tests.integration.bgp.site import VIPS, VIPS_V6, announcement

PAGE = Path(__file__).parents[3] / "docs" / "vip" / "speaker.md"
PAIRS = (("203.0.113.1", "203.0.113.2"), ("2001:db8:ffff::1", "2001:db8:ffff::2"))


def sample(beginning: str) -> str:
    """The block of the page that begins so."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if block.startswith(beginning))
    return str(found)


def wire(namespaces: Namespaces) -> tuple[Namespace, Namespace]:
    """The page's router and its server."""
    router, server = namespaces.add("router"), namespaces.add("server")
    namespaces.link(
        (router, "r1", ["203.0.113.1/29", "2001:db8:ffff::1/64"]),
        (server, "s1", ["203.0.113.2/29", "2001:db8:ffff::2/64"]),
    )
    return router, server


def sessions(directory: Path, password: str) -> tuple[Session, ...]:
    """The server's side of the page's router."""
    file = directory / "md5"
    if password:
        file.write_text(password)
        file.chmod(0o600)
    return tuple(
        Session(
            peer=ip_address(peer),
            local=ip_address(local),
            peer_as=64500,
            local_as=64510,
            router_id=IPv4Address("203.0.113.2"),
            hold_time_s=3,
            password_file=file if password else None,
            ttl_security_hops=1 if password else None,
        )
        for peer, local in PAIRS
    )


def paths(router: FrrRouter, question: str) -> int:
    """How many routes FRR shows."""
    return len(router.ask_json(question).get("paths", []))


def test_bird_as_the_router(namespaces: Namespaces, open_path: Path) -> None:
    router_at, server = wire(namespaces)
    # The harness writes `protocol device` itself, and a router of tests changes no kernel routes.
    text = sample("# router: bird").replace("protocol device { }\n", "")
    router = BirdRouter(router_at, open_path, text)
    speaker = RunningSpeaker(
        server,
        open_path,
        ExaBgpSpeaker,
        sessions(open_path, "bird-has-no-quotes"),
        user="root",
    )
    speaker.start(announcement(VIPS[0]), announcement(VIPS_V6[0]), announcement("198.51.100.1/32"))
    router.goes_via(VIPS[0], "203.0.113.2")
    router.goes_via(VIPS_V6[0], "2001:db8:ffff::2")
    assert router.via("198.51.100.1/32") is None
    assert "203.0.113.2" in router_at.ip("route", "show", VIPS[0].removesuffix("/32"))


def test_frr_as_the_router(namespaces: Namespaces, open_path: Path) -> None:
    router_at, server = wire(namespaces)
    text = sample("! router: frr")
    router = FrrRouter(router_at, open_path, text, daemons=("zebra", "bgpd"))
    speaker = RunningSpeaker(
        server, open_path, ExaBgpSpeaker, sessions(open_path, "frr-has-no-blanks"), user="root"
    )
    speaker.start(announcement(VIPS[0]), announcement(VIPS_V6[0]), announcement("198.51.100.1/32"))
    for family, prefix in (("ipv4", VIPS[0]), ("ipv6", VIPS_V6[0])):
        question = f"show bgp {family} unicast {prefix} json"
        eventually(partial(paths, router, question), f"{family} is there")
    assert not paths(router, "show bgp ipv4 unicast 198.51.100.1/32 json")


@pytest.mark.parametrize("speaks", ["bird", "frr"])
def test_both_as_the_speaker(namespaces: Namespaces, open_path: Path, speaks: str) -> None:
    router_at, server = wire(namespaces)
    text = sample("# router: bird").replace("protocol device { }\n", "")
    text = re.sub(r"    (password|ttl security) .*;\n", "", text)
    router = BirdRouter(router_at, open_path, text)
    if speaks == "bird":
        include = open_path / "headrace.conf"
        include.write_text("filter headrace { reject; }\n")
        own = sample("router id 203.0.113.2;").replace("protocol device { }\n", "")
        own = own.replace("/etc/bird/headrace.conf", str(include))
        daemon = BirdRouter(server, open_path, own)
        speaker = RunningSpeaker(
            server,
            open_path,
            bird_speaker,
            sessions(open_path, ""),
            socket=daemon.socket,
            include=include,
        )
    else:
        own = sample("bgp as-path access-list own")
        frr = FrrRouter(server, open_path, own, daemons=("zebra", "bgpd"))
        speaker = RunningSpeaker(
            server, open_path, frr_speaker, sessions(open_path, ""), sockets=frr.directory
        )
    speaker.start(announcement(VIPS[0]), announcement(VIPS_V6[0]))
    router.goes_via(VIPS[0], "203.0.113.2")
    router.goes_via(VIPS_V6[0], "2001:db8:ffff::2")
    speaker.event(SessionUp, number=2)


def test_frr_as_the_speaker_keeps_what_it_hears_to_itself(
    namespaces: Namespaces, open_path: Path
) -> None:
    router_at, server = wire(namespaces)
    text = sample("# router: bird").replace("protocol device { }\n", "")
    text = re.sub(r"    (password|ttl security) .*;\n", "", text)
    text = text.replace("export none", 'export where proto ~ "heard*"')
    text += "protocol static heard4 { ipv4; route 198.51.100.0/25 unreachable; }\n"
    text += "protocol static heard6 { ipv6; route 2001:db8:5::/48 unreachable; }\n"
    BirdRouter(router_at, open_path, text)
    own = sample("bgp as-path access-list own")
    frr = FrrRouter(server, open_path, own, daemons=("zebra", "bgpd"))
    speaker = RunningSpeaker(
        server, open_path, frr_speaker, sessions(open_path, ""), sockets=frr.directory
    )
    speaker.start(announcement(VIPS[0]), announcement(VIPS_V6[0]))
    for family, router, heard, mine in (
        ("ipv4", "203.0.113.1", "198.51.100.0/25", VIPS[0]),
        ("ipv6", "2001:db8:ffff::1", "2001:db8:5::/48", VIPS_V6[0]),
    ):
        asked = f"show bgp {family} unicast"
        eventually(partial(paths, frr, f"{asked} {heard} json"), f"{heard} is heard")
        said = f"{asked} neighbors {router} advertised-routes json"
        eventually(partial(_advertised, frr, said), f"{mine} is announced")
        assert list(_advertised(frr, said)) == [mine]
        assert heard not in server.ip("-6" if family == "ipv6" else "-4", "route", "show")


def _advertised(router: FrrRouter, question: str) -> dict[str, object]:
    found = router.ask_json(question).get("advertisedRoutes", {})
    return dict(found)
