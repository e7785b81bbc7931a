"""FRR as the ISP's router: passwords, hops, and preferences made of communities."""

from __future__ import annotations

from pathlib import Path

from headrace.bgp.announcement import GRACEFUL_SHUTDOWN
from headrace.bgp.exabgp.speaker import ExaBgpSpeaker
from tests.harness.namespaces import Namespaces
from tests.harness.polling import eventually
from tests.harness.speakers import FrrRouter, RunningSpeaker
from tests.integration.bgp.site import (
    NEXT,
    PASSWORD,
    ROUTER_AS,
    SITE_AS,
    VIPS,
    VIPS_V6,
    announcement,
    make_site,
    session,
    write_password,
)

WORD = PASSWORD.replace(" ", "-")
"""FRR's passwords have no blanks."""


def configuration() -> str:
    """The router's side, as docs/vip/speaker.md has it."""
    neighbors, four, six = "", "", ""
    for number in (1, 2):
        for peer in (f"10.99.{number}.2", f"fd99:{number}::2"):
            neighbors += f" neighbor {peer} remote-as {SITE_AS}\n"
            neighbors += f" neighbor {peer} timers 1 3\n neighbor {peer} timers connect 2\n"
            neighbors += f" neighbor {peer} ttl-security hops 1\n"
            neighbors += f" neighbor {peer} password {WORD}\n"
        four += f"  neighbor 10.99.{number}.2 activate\n"
        four += f"  neighbor 10.99.{number}.2 route-map cdn-in in\n"
        four += f"  neighbor 10.99.{number}.2 route-map cdn-out out\n"
        six += f"  neighbor fd99:{number}::2 activate\n"
        six += f"  neighbor fd99:{number}::2 route-map cdn-in in\n"
        six += f"  neighbor fd99:{number}::2 route-map cdn-out out\n"
    return f"""
ip prefix-list cdn seq 5 permit 192.0.2.0/24 ge 32
ipv6 prefix-list cdn seq 5 permit 2001:db8::/48 ge 128
bgp community-list standard worse permit {SITE_AS}:90
bgp community-list standard shutdown permit 65535:0
route-map cdn-in permit 10
 match community shutdown
 set local-preference 0
exit
route-map cdn-in permit 20
 match community worse
 set local-preference 90
exit
route-map cdn-in permit 30
exit
route-map cdn-out deny 10
exit
router bgp {ROUTER_AS}
 bgp router-id 10.99.0.1
 no bgp default ipv4-unicast
{neighbors} address-family ipv4 unicast
{four}  neighbor 10.99.1.2 prefix-list cdn in
  neighbor 10.99.1.2 maximum-prefix 100
 exit-address-family
 address-family ipv6 unicast
{six}  neighbor fd99:1::2 prefix-list cdn in
 exit-address-family
exit
"""


def test_frr_prefers_by_community_and_takes_over(namespaces: Namespaces, open_path: Path) -> None:
    site = make_site(namespaces)
    router = FrrRouter(site.router, open_path, configuration(), daemons=("zebra", "bgpd"))
    password = write_password(open_path)
    password.write_text(WORD)
    servers = []
    for number in (1, 2):
        pair = [
            session(number, v6=v6, password_file=password, ttl_security_hops=1)
            for v6 in (False, True)
        ]
        worse = frozenset({(SITE_AS, 90)}) if number == 2 else frozenset()
        one = RunningSpeaker(
            site.servers[number - 1], open_path, ExaBgpSpeaker, tuple(pair), user="root"
        )
        one.start(
            announcement(VIPS[0], communities=worse), announcement(VIPS_V6[0], communities=worse)
        )
        servers.append(one)

    def routes() -> dict[str, int]:
        shown = router.ask_json(f"show bgp ipv4 unicast {VIPS[0]} json")
        return {
            way["nexthops"][0]["ip"]: way.get("locPrf", 100)
            for way in shown.get("paths", [])
            if way.get("bestpath", {}).get("overall")
        }

    def seen() -> int:
        return len(router.ask_json(f"show bgp ipv4 unicast {VIPS[0]} json").get("paths", []))

    eventually(lambda: seen() == 2, "both announce")
    eventually(lambda: NEXT[0] in routes(), "the owner has it")
    shown = router.ask_json(f"show bgp ipv6 unicast {VIPS_V6[0]} json")
    assert len(shown["paths"]) == 2
    # Drained: RFC 8326 says it to a router that honours it.
    servers[0].set(announcement(VIPS[0], communities=frozenset({GRACEFUL_SHUTDOWN})))
    eventually(lambda: routes() == {NEXT[1]: 90}, "the neighbour has it")
    servers[0].set(announcement(VIPS[0]))
    eventually(lambda: NEXT[0] in routes(), "the owner has it again")
    servers[0].close(graceful=False)
    eventually(lambda: routes() == {NEXT[1]: 90}, "the neighbour takes over")
