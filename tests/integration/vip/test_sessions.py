"""Passwords, hops and BFD from vip.toml, with a BIRD and an FRR as the router; what is wrong with
them is told.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.namespaces import Namespaces
from tests.harness.polling import eventually
from tests.harness.speakers import FrrRouter
from tests.harness.vip_site import ROUTER_AS, SITE_AS, VipServer, VipSite, vip6_of, vip_of

pytestmark = pytest.mark.timeout(600)

PASSWORD = "a-word-of-the-isp"
GUARDED = f'password "{PASSWORD}"; ttl security on; bfd on;'
BFD = 'protocol bfd { interface "s*" { min rx interval 100 ms; min tx interval 100 ms; }; }\n'
HOLD_S = 60
"""Longer than the tests wait: what is noticed sooner is noticed by BFD."""


def guarded(server: VipServer, *, bfd_multihop: bool = False) -> list[dict[str, object]]:
    """The routers of vip.toml."""
    file = server.directory / "md5"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    number = server.number
    pairs = [(f"10.99.{number}.1", server.own), (f"fd99:{number}::1", f"fd99:{number}::2")]
    return [
        {
            "address": router,
            "local_address": own,
            "as": ROUTER_AS,
            "hold_time": HOLD_S,
            "password_file": file,
            "ttl_security": 1,
            "bfd": True,
            "bfd_multihop": bfd_multihop,
        }
        for router, own in pairs
    ]


def use_bird(site: VipSite) -> Callable[[], bool]:
    """Let the site's BIRD demand all of it; whether it has both VIPs."""
    router = site.router
    text = router.file.read_text().replace("hold time 3;", f"hold time {HOLD_S}; {GUARDED}")
    router.file.write_text(text + BFD)
    router.stop()
    router.again()
    return lambda: all(router.via(one) for one in (f"{vip_of(1)}/32", f"{vip6_of(1)}/128"))


def use_frr(site: VipSite) -> Callable[[], bool]:
    """Let an FRR take BIRD's place; whether it has both VIPs."""
    site.router.stop()
    text = f"router bgp {ROUTER_AS}\n bgp router-id 10.99.0.1\n no bgp ebgp-requires-policy\n"
    text += " no bgp default ipv4-unicast\n"
    peers = {4: "10.99.1.2", 6: "fd99:1::2"}
    for peer in peers.values():
        text += f" neighbor {peer} remote-as {SITE_AS}\n neighbor {peer} password {PASSWORD}\n"
        text += f" neighbor {peer} ttl-security hops 1\n neighbor {peer} timers 20 {HOLD_S}\n"
        text += f" neighbor {peer} timers connect 2\n neighbor {peer} bfd\n"
        text += f" neighbor {peer} bfd 3 100 100\n"
    for version, peer in peers.items():
        text += f" address-family ipv{version} unicast\n  neighbor {peer} activate\n"
        text += " exit-address-family\n"
    daemons = ("zebra", "bgpd", "bfdd")
    router = FrrRouter(site.where, site.directory, text + "exit\n", daemons=daemons)

    def has() -> bool:
        shown = (
            router.ask_json(f"show bgp ipv4 unicast {vip_of(1)}/32 json"),
            router.ask_json(f"show bgp ipv6 unicast {vip6_of(1)}/128 json"),
        )
        return all(one.get("paths") for one in shown)

    return has


@pytest.mark.parametrize("use", [use_bird, use_frr], ids=["bird", "frr"])
def test_password_hops_and_bfd_hold(
    namespaces: Namespaces, open_path: Path, use: Callable[[VipSite], Callable[[], bool]]
) -> None:
    site = VipSite(namespaces, open_path, servers=1)
    server = site.servers[1]
    has = use(site)
    server.write_edge(site.pair)
    # With TTL security, FRR takes a neighbour on the same link for one that is farther away.
    server.write_vip(router=guarded(server, bfd_multihop=use is use_frr))
    server.edge.start()
    server.vip.start()
    server.ready()
    site.until(has, "the router has the VIPs")
    site.until(lambda: not server.headrace("status", "--check").stdout, "nothing to complain of")
    bfdd = server.vip.children("bfdd")
    assert bfdd
    # Both sides watch the other by BFD a moment later.
    site.until(lambda: _bfd_up(server) == 2, "BFD is up")
    server.where.black_hole("up")
    site.until(lambda: not has(), "the router has seen it")
    eventually(lambda: server.events().count("bfd: ") >= 2, "so has the server", 30.0, every_s=0.3)
    server.where.heal()
    site.until(has, "the router has the VIPs again")
    assert server.vip.stop() == 0
    site.until(lambda: not has(), "they are withdrawn")
    site.until(lambda: not any(Path(f"/proc/{one}").exists() for one in bfdd), "bfdd is gone")


def test_what_is_wrong_is_told_with_what_helps(namespaces: Namespaces, open_path: Path) -> None:
    site = VipSite(namespaces, open_path, servers=1)
    server = site.servers[1]
    # No TTL security on the router's side, and another password for IPv6.
    text = site.router.file.read_text().replace("hold time 3;", "hold time 3; ttl security off;")
    four, six = text.split("protocol bgp s1v6 {")
    text = f'{four}protocol bgp s1v6 {{ password "another"; {six}'
    site.router.file.write_text(text)
    site.router.stop()
    site.router.again()
    routers = [{**one, "hold_time": 3, "bfd": False} for one in guarded(server)]
    del routers[0]["password_file"], routers[1]["ttl_security"]
    server.write_edge(site.pair)
    server.write_vip(router=routers)
    server.edge.start()
    server.vip.start()
    server.ready()
    site.until(lambda: server.events().count("not established for") == 2, "both are told")
    done = server.headrace("status", "--check")
    assert done.returncode == 1
    told = {line.split(": ")[0]: line for line in done.stdout.splitlines()}
    assert "farther away than the TTL security allows" in told["session 10.99.1.1"]
    assert "the password (MD5)" in told["session fd99:1::1"]
    shown = server.headrace("status").stdout
    assert "connecting" in shown


def _bfd_up(server: VipServer) -> int:
    asked = server.where.run(
        "vtysh", "--vty_socket", str(server.state_dir / "bfd"), "-d", "bfdd", "-c",
        "show bfd peers json",
    )  # fmt: skip
    return asked.count('"status":"up"')
