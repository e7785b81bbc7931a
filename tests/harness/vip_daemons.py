"""A BIRD or an FRR that a server of a `VipSite` has already, as the speaker of its VIP process."""

from __future__ import annotations

from tests.harness.speakers import BirdRouter, FrrRouter
from tests.harness.vip_site import ROUTER_AS, SITE_AS, VipServer


def own_bird(server: VipServer) -> tuple[BirdRouter, dict[str, object]]:
    """A BIRD with its sessions, and what vip.toml says of it."""
    include = server.directory / "headrace.conf"
    include.write_text("filter headrace { reject; }\n")
    text = f'router id {server.own};\ninclude "{include}";\n'
    for version, net in ((4, f"10.99.{server.number}."), (6, f"fd99:{server.number}::")):
        text += (
            f"protocol bgp isp{version} {{ local {net}2 as {SITE_AS}; "
            f"neighbor {net}1 as {ROUTER_AS}; hold time 3; error wait time 1,2; "
            f"connect retry time 2; ipv{version} {{ import all; export filter headrace; }}; }}\n"
        )
    bird = BirdRouter(server.where, server.directory, text)
    return bird, {"kind": "bird", "bird_socket": bird.socket, "bird_include": include}


def own_frr(server: VipServer) -> tuple[FrrRouter, dict[str, object]]:
    """An FRR with its sessions, and what vip.toml says of it."""
    text = f"router bgp {SITE_AS}\n bgp router-id {server.own}\n no bgp ebgp-requires-policy\n"
    text += " bgp graceful-restart-disable\n no bgp default ipv4-unicast\n"
    text += " no bgp network import-check\n"
    routers = {4: f"10.99.{server.number}.1", 6: f"fd99:{server.number}::1"}
    for router in routers.values():
        text += f" neighbor {router} remote-as {ROUTER_AS}\n neighbor {router} timers 1 3\n"
        text += f" neighbor {router} timers connect 2\n"
    for version, router in routers.items():
        text += f" address-family ipv{version} unicast\n  neighbor {router} activate\n"
        text += " exit-address-family\n"
    frr = FrrRouter(server.where, server.directory, text + "exit\n", daemons=("zebra", "bgpd"))
    return frr, {"kind": "frr", "frr_sockets": frr.directory}
