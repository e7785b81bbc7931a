"""A reload changes how all are asked, and with whom BGP is spoken, and no session ends that stays
as it is; what needs a restart is refused.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.harness.namespaces import Namespaces
from tests.harness.vip_site import (
    HOST,
    PROBE,
    ROUTER_AS,
    SITE_AS,
    VipServer,
    VipSite,
    vip_of,
)

pytestmark = pytest.mark.timeout(400)


def reload(server: VipServer) -> None:
    """Let its VIP process read its configuration again."""
    assert server.vip.process is not None
    server.vip.process.send_signal(signal.SIGHUP)


def test_a_reload_takes_checks_and_keeps_the_sessions(
    namespaces: Namespaces, open_path: Path
) -> None:
    site = VipSite(namespaces, open_path, servers=1)
    site.start()
    (server,) = site.servers.values()
    ups = server.events().count("session_up")
    server.write_vip(check=[{"host": HOST, "path": PROBE, "sha256": "0" * 64}])
    reload(server)
    site.goes_to(vip_of(1), None)
    assert "other bytes" in server.headrace("status").stdout
    server.write_vip(edge=None, checking={"interval": "100ms", "watchdog": "5s"})
    reload(server)
    site.settled()
    assert server.status()["edge"] is None
    assert server.events().count("session_up") == ups
    # What sessions depend on stays as it was, and so does all else of that file.
    server.write_vip(speaker={"as": SITE_AS + 1}, check=[{"host": HOST, "path": "/none"}])
    reload(server)
    site.until(
        lambda: "a reload cannot change speaker: put the old value back" in server.vip.log(),
        "it is refused",
    )
    # So does a check that this server cannot be asked for, or a token that is not there.
    server.write_vip(edge={"token_file": "/nowhere"})
    reload(server)
    site.until(lambda: server.vip.log().count("reload_failed") == 2, "it is refused")
    assert server.status()["edge"] is None
    site.settled()
    assert server.events().count("session_up") == ups


def router(number: int, local: str, address: str, **more: object) -> dict[str, object]:
    """A table of the configuration."""
    net = f"fd99:{number}::" if address == "6" else f"10.99.{number}."
    last = "1" if address == "6" else address
    return {
        "address": net + last,
        "local_address": net + local,
        "as": ROUTER_AS,
        "hold_time": 3,
        **more,
    }


def test_a_reload_takes_routers_and_ends_only_the_sessions_that_differ(
    namespaces: Namespaces, open_path: Path
) -> None:
    site = VipSite(namespaces, open_path, servers=1)
    site.where.ip("addr", "add", "10.99.1.5/30", "dev", "s1")
    (server,) = site.servers.values()
    server.where.ip("addr", "add", "10.99.1.6/30", "dev", "up")
    file = site.router.file
    file.write_text(
        file.read_text() + f"protocol bgp second {{ local 10.99.1.5 as {ROUTER_AS}; "
        f"neighbor 10.99.1.6 as {SITE_AS}; hold time 3; ipv4 {{ import all; export none; }}; }}"
    )
    site.router.ask("configure")
    site.start()
    site.router.goes_via("192.0.2.1/32", "10.99.1.2")
    # Before the others, so that another identifier would be taken by itself.
    second = router(1, "6", "5", name="second")
    server.write_vip(router=[second, router(1, "2", "1"), router(1, "2", "6")])
    reload(server)
    site.until(lambda: "10.99.1.5" in server.headrace("status").stdout, "it is known")
    site.until(lambda: len(up(server)) == 3, "all three are up")
    assert ups_of(server, "10.99.1.1") == 1
    shown = site.router.ask("show", "route", "192.0.2.1/32")
    assert "from 10.99.1.6" in shown
    # A password that is not there changes nothing at all.
    server.write_vip(
        router=[{**second, "password_file": "/nowhere"}, router(1, "2", "1", hold_time=60)]
    )
    reload(server)
    site.until(lambda: "/nowhere cannot be read" in server.vip.log(), "it is refused")
    assert len(up(server)) == 3
    # Without the second, and without IPv6: what was announced by it is not any more.
    server.write_vip(router=[router(1, "2", "1")])
    reload(server)
    site.goes_to("2001:db8::1", None)
    site.until(lambda: len(server.status()["sessions"]) == 1, "one is left")
    assert ups_of(server, "10.99.1.1") == 1
    assert "routers_changed" in server.events()
    # Of another hold time: this one is made again.
    server.write_vip(router=[router(1, "2", "1", hold_time=30), router(1, "2", "6")])
    reload(server)
    site.settled()
    site.until(lambda: len(up(server)) == 2, "both are up")
    assert server.vip.log().count("reload_failed") == 1


def ups_of(server: VipServer, router: str) -> int:
    """How often a session came up."""
    lines = server.events().splitlines()
    return sum("session_up" in one and one.split()[-1] == router for one in lines)


def up(server: VipServer) -> list[object]:
    """Its sessions that are up."""
    return [one for one in server.status()["sessions"] if one["up"]]
