"""A server whose BIRD is there already: what nobody checks any more is withdrawn from it too."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from headrace.node.fork_server import WORKER_NAME
from tests.harness.namespaces import Namespaces
from tests.harness.vip_daemons import own_bird
from tests.harness.vip_site import HEADRACE, VipSite, vip6_of, vip_of

pytestmark = pytest.mark.timeout(400)


def test_what_a_daemon_would_announce_for_ever_is_withdrawn(
    namespaces: Namespaces, open_path: Path
) -> None:
    site = VipSite(namespaces, open_path)
    first, second = site.servers[1], site.servers[2]
    _bird, speaker = own_bird(first)
    first.write_vip(speaker=speaker)
    second.write_vip()
    for server in (first, second):
        server.write_edge(site.pair)
        server.edge.start()
        server.vip.start()
    first.ready()
    site.settled()
    assert first.headrace("status", "--check").stdout == ""
    shown = json.loads(first.headrace("status", "--json").stdout)
    assert shown.keys() == first.status().keys() != set()

    first.edge.kill()
    site.goes_to(vip_of(1), 2)
    first.edge.start()
    site.settled()
    # The worker hangs; before the next one has checked anything, nothing may be announced.
    worker = first.vip.children(WORKER_NAME)[0]
    os.kill(worker, signal.SIGSTOP)
    site.goes_to(vip_of(1), 2)
    site.goes_to(vip6_of(1), 2)
    site.until(lambda: "withdrawn_by_guard" in first.vip.log(), "its guard withdrew")
    site.settled()
    assert first.vip.stop() == 0
    site.goes_to(vip_of(1), 2)


def test_all_that_is_killed_at_once_is_withdrawn_by_a_command(
    namespaces: Namespaces, open_path: Path
) -> None:
    site = VipSite(namespaces, open_path, servers=1)
    server = site.servers[1]
    _bird, speaker = own_bird(server)
    site.start({"speaker": speaker})
    # What runs decides for itself.
    done = server.headrace("withdraw")
    assert done.returncode != 0
    assert "another vip process" in done.stderr
    server.vip.kill()
    assert site.router.via(f"{vip_of(1)}/32") == server.own
    # systemd says so where the service has left by itself, as it was configured to.
    in_order = ["env", "SERVICE_RESULT=success"]
    config = str(server.directory / "vip.toml")
    server.where.run(*in_order, HEADRACE, "vip", "withdraw", "--config", config)
    assert site.router.via(f"{vip_of(1)}/32") == server.own
    done = server.headrace("withdraw")
    assert (done.returncode, done.stdout) == (0, "bird announces nothing from here any more\n")
    site.goes_to(vip_of(1), None)
    site.goes_to(vip6_of(1), None)
    server.vip.start()
    site.settled()
