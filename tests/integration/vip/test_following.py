"""What a VIP process goes by beside its checks: the loop's view, and a restart that routers wait
for. And who is told anything.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from headrace.topology.view import ServerState, ServerView, View
from headrace.topology.view_codec import encode_view
from tests.harness.namespaces import Namespaces
from tests.harness.vip_site import BODY, ROUTER_AS, VipSite, vip6_of, vip_of

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def site(namespaces: Namespaces, open_path: Path) -> VipSite:
    """A site of two servers, not started."""
    return VipSite(namespaces, open_path)


def test_what_the_loop_drains_is_drained_and_its_edge_is_left_alone(site: VipSite) -> None:
    site.describe('linger = "0s"\ndrain = "5s"')
    site.start()
    first = site.servers[1]
    view, new = site.directory / "view.json", site.directory / "view.new"

    def publish(version: int, state: ServerState) -> None:
        servers = {"s1": ServerView(state)}
        new.write_bytes(encode_view(View(version, time.time(), servers)))
        new.replace(view)

    publish(1, ServerState.DRAINING)
    site.goes_to(vip_of(1), 2)
    site.goes_to(vip6_of(1), 2)
    assert "by the feedback loop" in first.headrace("status").stdout
    assert first.status()["edge"]["draining"] is False
    assert "wanted draining (by the feedback loop" in first.headrace("return").stdout
    publish(2, ServerState.ONLINE)
    site.settled()


# Alone: a check that comes late is one that did not pass, and then the neighbour takes over.
@pytest.mark.alone
def test_routers_keep_the_routes_over_a_restart_if_that_was_agreed(site: VipSite) -> None:
    routers = [
        {"address": f"{net}1", "local_address": f"{net}2", "as": ROUTER_AS, "hold_time": 3}
        for net in ("10.99.1.", "fd99:1::")
    ]
    first, second = site.servers[1], site.servers[2]
    for server in (first, second):
        server.write_edge(site.pair)
        server.write_vip()
    first.write_vip(
        speaker={"at_stop": "keep"}, router=[{**one, "graceful_restart": 60} for one in routers]
    )
    for server in (first, second):
        server.edge.start()
        server.vip.start()
    site.settled()
    hops = set()

    def via_first() -> bool:
        hops.add(site.router.via(f"{vip_of(1)}/32"))
        return True

    assert first.vip.stop() == 0
    assert vip_of(1) in first.bound()
    via_first()
    assert site.fetch(vip_of(1)) == BODY
    first.vip.start()
    site.until(
        lambda: (
            via_first() and [one["up"] for one in first.status().get("sessions", [])] == [True] * 2
        ),
        "both sessions are up again",
    )
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        via_first()
    assert hops == {"10.99.1.2"}


def test_only_who_knows_the_secret_is_told_what_is_announced(site: VipSite) -> None:
    site.start()
    first, second = site.servers[1], site.servers[2]
    told = second.curl(f"http://{first.own}:8093/v1/vip")
    assert "this is for who knows the secret of the network" in told
    assert vip_of(1) not in told
    site.until(
        lambda: [one["soundness"] for one in second.status()["neighbours"]] == ["sound"],
        "its neighbour is told",
    )
    site.secret_file.write_text("another-secret-of-tests-that-is-long-enough\n")
    # Both read it: they still know each other.
    time.sleep(3)
    site.until(
        lambda: [one["soundness"] for one in second.status()["neighbours"]] == ["sound"],
        "they know each other by the new one",
    )


def test_a_machine_that_is_not_the_server_of_its_name_announces_nothing(site: VipSite) -> None:
    site.start()
    first, text = site.servers[1], site.network_file.read_text()
    # As where the process was set up on another machine by a copy of the configuration.
    new = site.network_file.with_suffix(".new")
    new.write_text(text.replace('ipv4 = ["10.99.1.2"]', 'ipv4 = ["10.99.77.2"]'))
    new.replace(site.network_file)
    site.goes_to(vip_of(1), 2)
    shown = first.headrace("status").stdout
    assert "10.99.77.2" in shown
    assert "correct the description" in " ".join(shown.split())
    # Of IPv6 it has what the description says.
    site.goes_to(vip6_of(1), 1)
    new.write_text(text)
    new.replace(site.network_file)
    site.settled()
