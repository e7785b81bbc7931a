"""The feedback loop and VIPs together: what one does, the other sees, and nobody is sent to a name
whose addresses are at another server.
"""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.harness.namespaces import Namespaces
from tests.harness.vip_loop import VipLoop
from tests.harness.vip_site import BODY, VipServer, VipSite, vip6_of, vip_of

pytestmark = [pytest.mark.timeout(400), pytest.mark.alone]


@pytest.fixture
def loop(namespaces: Namespaces, open_path: Path) -> VipLoop:
    """A site of two servers with an observer and a router, which are not started."""
    return VipLoop(VipSite(namespaces, open_path))


def is_at(loop: VipLoop, number: int) -> None:
    """Wait until the first server's VIPs are at one (0: at nobody)."""
    loop.site.goes_to(vip_of(1), number or None)
    loop.site.goes_to(vip6_of(1), number or None)


def phase(server: VipServer) -> str:
    """How far a server is on its way out."""
    return str(server.status().get("phase"))


def test_what_the_loop_withdraws_leaves_bgp_and_returns_by_itself(loop: VipLoop) -> None:
    loop.start()
    first = loop.site.servers[1]
    loop.want("s1", "withdrawn", "--for", "30s", "--reason", "new disks")
    began = time.monotonic()
    loop.names(2)
    is_at(loop, 2)
    loop.site.until(lambda: phase(first) == "out", "it is out")
    assert "by an order to the feedback loop, until 20" in first.headrace("status").stdout
    assert first.status()["edge"]["draining"] is True
    assert loop.state(first) == ("withdrawn", ("operator",))
    assert loop.alarms() == []
    shown = json.loads(loop.headrace("status", "--json").stdout)
    assert shown.keys() == loop.status().keys() != set()
    # Its edge may be stopped meanwhile; nobody is to wonder.
    first.edge.stop()
    assert loop.site.fetch(vip_of(1)) == BODY
    assert loop.alarms() == []
    first.edge.start()
    # Nobody takes the order back, and no observer is left who could.
    loop.feedback.kill()
    is_at(loop, 1)
    assert time.monotonic() - began >= 29.0
    loop.site.until(lambda: not first.status()["edge"]["draining"], "its edge serves again")
    loop.feedback.start()
    loop.names(1, 2)


def test_what_leaves_by_itself_gets_no_new_clients_and_rings_no_alarm(loop: VipLoop) -> None:
    loop.start()
    first = loop.site.servers[1]
    # By an order at the server, which is then stopped, and started again.
    assert first.headrace("drain", "--reason", "new disks").returncode == 0
    loop.names(2)
    is_at(loop, 2)
    first.edge.stop()
    loop.site.until(lambda: loop.state(first)[0] == "failed", "the loop sees that it is stopped")
    assert loop.alarms() == []
    first.edge.start()
    # The other order comes while it is out, and ends later.
    loop.want("s1", "draining")
    loop.site.until(lambda: loop.state(first)[0] == "draining", "the loop has the order")
    assert "wanted draining" in first.headrace("return").stdout
    assert loop.named() == {"s2"}
    loop.want("s1", "none")
    is_at(loop, 1)
    loop.names(1, 2)
    # Without its VIP process nobody announces for it: its name is passed over though it serves.
    first.vip.kill()
    is_at(loop, 2)
    loop.site.until(lambda: loop.state(first) == ("draining", ("vips_away",)), "the loop sees it")
    loop.names(2)
    first.vip.start()
    is_at(loop, 1)
    loop.names(1, 2)
    # So it is with one whose VIPs fail their checks.
    loop.site.servers[1].where.ip("addr", "del", f"{vip_of(1)}/32", "dev", "lo")
    first.edge.send(signal.SIGSTOP)
    is_at(loop, 2)
    loop.names(2)
    first.edge.send(signal.SIGCONT)
    is_at(loop, 1)
    loop.names(1, 2)


def test_a_site_leaves_as_a_whole_by_schedule_and_returns(loop: VipLoop) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    start, end = now + timedelta(seconds=45), now + timedelta(seconds=75)
    loop.start(
        more=f'[[withdrawal]]\nsite = "site"\nfrom = {start.isoformat()}\n'
        f'until = {end.isoformat()}\ndrain = "1s"\nreason = "power"\n'
    )
    is_at(loop, 0)
    assert datetime.now(UTC) >= start
    servers = loop.site.servers.values()
    assert {loop.state(one)[0] for one in servers} == {"withdrawn"}
    assert loop.alarms() == []
    is_at(loop, 1)
    assert datetime.now(UTC) >= end
    loop.site.settled()
    loop.names(1, 2)
