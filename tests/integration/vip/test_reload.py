"""A reload changes how all are asked, and no session ends; what needs a restart is refused."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.harness.namespaces import Namespaces
from tests.harness.vip_site import HOST, PROBE, SITE_AS, VipServer, VipSite, vip_of

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
