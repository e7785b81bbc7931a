"""A server whose BIRD is there already: what nobody checks any more is withdrawn from it too."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.harness.namespaces import Namespaces
from tests.harness.speakers import BirdRouter
from tests.harness.vip_site import ROUTER_AS, SITE_AS, VipServer, VipSite, vip6_of, vip_of


def own_bird(server: VipServer) -> BirdRouter:
    """A BIRD on a server, with its sessions, before the VIP process is there."""
    include = server.directory / "headrace.conf"
    include.write_text("filter headrace { reject; }\n")
    text = f'router id {server.own};\ninclude "{include}";\n'
    for version, net in ((4, f"10.99.{server.number}."), (6, f"fd99:{server.number}::")):
        text += (
            f"protocol bgp isp{version} {{ local {net}2 as {SITE_AS}; "
            f"neighbor {net}1 as {ROUTER_AS}; hold time 3; error wait time 1,2; "
            f"connect retry time 2; ipv{version} {{ import all; export filter headrace; }}; }}\n"
        )
    return BirdRouter(server.where, server.directory, text)


def test_what_a_daemon_would_announce_for_ever_is_withdrawn(
    namespaces: Namespaces, open_path: Path
) -> None:
    site = VipSite(namespaces, open_path)
    first, second = site.servers[1], site.servers[2]
    bird = own_bird(first)
    speaker = {
        "kind": "bird",
        "bird_socket": bird.socket,
        "bird_include": first.directory / "headrace.conf",
    }
    first.write_vip(speaker=speaker)
    second.write_vip()
    for server in (first, second):
        server.write_edge(site.pair)
        server.edge.start()
        server.vip.start()
    first.ready()
    site.settled()
    assert first.headrace("status", "--check").stdout == ""

    first.edge.kill()
    site.goes_to(vip_of(1), 2)
    first.edge.start()
    site.settled()
    # The worker hangs; before the next one has checked anything, nothing may be announced.
    worker = first.vip.children("headrace.vip.worker")[0]
    os.kill(worker, signal.SIGSTOP)
    site.goes_to(vip_of(1), 2)
    site.goes_to(vip6_of(1), 2)
    site.until(lambda: "withdrawn_without_worker" in first.vip.log(), "the supervisor withdrew")
    site.settled()
    assert first.vip.stop() == 0
    site.goes_to(vip_of(1), 2)
