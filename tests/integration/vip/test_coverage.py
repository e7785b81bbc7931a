"""An ISP's BIRD announces clients to a site's servers, and the request router sends them there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.namespaces import Namespaces
from tests.harness.polling import eventually
from tests.harness.toml import to_toml
from tests.harness.vip_site import PATIENCE_S, Program, VipServer, VipSite

# BIRD, two servers and a request router, each asked by a command of its own, again and again.
pytestmark = pytest.mark.timeout(300)

ROUTER = "http://127.0.0.1:8070"
WEST, EAST = "198.51.100.0/25", "198.51.100.128/25"
V6 = "2001:db8:7::/48"
OF_WEST, OF_EAST, OF_V6 = "198.51.100.7", "198.51.100.200", "2001:db8:7::7"
FAR = """
[[site]]
name = "far"

[[server]]
name = "f1"
site = "far"
host = "f1.example"
ipv4 = ["203.0.113.1"]
ipv6 = ["2001:db8:f::1"]

[[network]]
name = "other"
prefixes = ["198.51.100.64/26"]

[[coverage]]
name = "at-site"
sites = [{ name = "site" }, { name = "far", order = 2 }]

[coverage.learnt]
site = "site"
file = "at-site.prefixes"
within = ["198.51.100.0/24", "2001:db8:7::/48", "192.0.2.0/24"]
private = true
longest_v4 = 26
"""


class LearningSite:
    """A site whose two servers hear BIRD, and a request router that asks them."""

    def __init__(self, site: VipSite, rules: str) -> None:
        self.site = site
        self._rules = rules
        self._describe()
        self.router = Program(
            site.where,
            ["router", "--config", str(site.directory / "router.toml")],
            site.directory / "router.log",
        )
        network = {
            "file": site.network_file,
            "secret_file": site.secret_file,
            "learn_coverage": True,
        }
        document = {
            "node_id": "router-1",
            "state_dir": site.directory / "router",
            "workers": 1,
            "listen": [{"address": "127.0.0.1:8070"}],
            "admin": {"listen": "127.0.0.1:9091", "token": "a-token-for-tests-only"},
            "debug": {"networks": ["127.0.0.0/8"]},
            "network": network,
        }
        (site.directory / "router.toml").write_text(to_toml(document))
        self.router.start()
        for server in site.servers.values():
            server.write_vip(
                router=[
                    {
                        "address": f"{net}1", "local_address": f"{net}2", "as": 64500,
                        "hold_time": 3, "most_prefixes": 1000,
                    }
                    for net in (f"10.99.{server.number}.", f"fd99:{server.number}::")
                ]
            )  # fmt: skip
            server.vip.start()
        self._bird = site.router.file.read_text().partition("protocol device {}\n")[2]
        for server in site.servers.values():
            self.until(lambda server=server: up(server), f"{server.name} has its sessions")

    def _describe(self) -> None:
        file = self.site.network_file
        text = file.read_text().replace('[{ name = "site" }]', '[{ name = "far" }]')
        for server in self.site.servers.values():
            host = f'host = "{server.name}.example"'
            text = text.replace(host, f'{host}\nvip_listener = "http://{server.own}:8093"')
        file.write_text(text + FAR + self._rules)

    def announce(self, *prefixes: str, to: Iterable[int] = (1, 2)) -> None:
        """Let the ISP's router announce these, to some of the servers."""
        bird = self._bird
        for version in (4, 6):
            routes = [one for one in prefixes if (":" in one) == (version == 6)]
            lines = "".join(f" route {one} unreachable;" for one in routes)
            bird += f"protocol static clients{version} {{ ipv{version};{lines} }}\n"
            for number in to:
                start, middle, rest = bird.partition(f"protocol bgp s{number}v{version} ")
                rest = rest.replace("export none", f'export where proto = "clients{version}"', 1)
                bird = start + middle + rest
        self.site.router.write(bird)
        assert "Reconfigur" in self.site.router.ask("configure")

    def site_of(self, client: str) -> str:
        """Where the request router that runs sends a client; "" where it does not answer."""
        return self._located("--router", ROUTER, "--client", client)

    def described_site_of(self, client: str) -> str:
        """Where the description with its files sends it."""
        return self._located("--network", str(self.site.network_file), "--client", client)

    def _located(self, *words: str) -> str:
        asked = ["locate", "http://vod.example/a", "--json", *words]
        done = self.site.where.run_headrace(asked, PATIENCE_S)
        candidates = json.loads(done.stdout)["candidates"] if done.returncode == 0 else []
        return candidates[0]["site"] if candidates else ""

    def goes_to(self, client: str, site: str) -> None:
        """Wait until the request router sends a client to a site."""
        try:
            self.until(lambda: self.site_of(client) == site, f"{client} goes to {site}")
        except AssertionError as error:
            shown = "\n".join(
                f"{one.headrace('coverage', 'show').stdout}\n{one.vip.log()[-2000:]}"
                for one in self.site.servers.values()
            )
            raise AssertionError(f"{error}\n{shown}\n{self.router.log()[-2000:]}") from None

    def until(self, probe: Any, what: str) -> None:
        """Wait until something holds."""
        eventually(probe, what, PATIENCE_S, every_s=0.3)


def up(server: VipServer) -> bool:
    """Whether all sessions of a server are up."""
    sessions = server.status().get("sessions", [])
    return bool(sessions) and all(one["up"] for one in sessions)


def learnt(server: VipServer) -> Any:
    """What a server says of the coverage that it learns."""
    return json.loads(server.headrace("coverage", "show", "--json").stdout)["coverage"][0]


@pytest.fixture
def site(namespaces: Namespaces, open_path: Path) -> VipSite:
    """A site of two servers, not started."""
    return VipSite(namespaces, open_path)


def test_clients_follow_what_the_router_announces(site: VipSite) -> None:
    here = LearningSite(site, "most_changed = 1\nsettle = 1\nkeep = 600\n")
    here.goes_to(OF_WEST, "far")
    here.announce(WEST, V6)
    here.goes_to(OF_WEST, "site")
    here.goes_to(OF_V6, "site")
    assert here.site_of(OF_EAST) == "far"
    assert here.described_site_of(OF_WEST) == "site"
    # One server does not hear it any more: nothing changes.
    here.announce(WEST, V6, to=[2])
    here.until(lambda: learnt(site.servers[1])["prefixes"] == 0, "server 1 has let it go")
    # A server is killed, then the sessions of the other end, and the router starts again.
    site.servers[1].vip.kill()
    site.router.stop()
    here.until(lambda: not up(site.servers[2]), "the sessions are lost")
    here.router.stop()
    here.router.start()
    here.until(lambda: here.site_of(OF_EAST) == "far", "the request router is back")
    assert here.site_of(OF_WEST) == here.site_of(OF_V6) == "site"
    # The ISP comes back, and has moved its clients.
    site.servers[1].vip.start()
    site.router.again()
    here.until(lambda: up(site.servers[1]) and up(site.servers[2]), "the sessions are back")
    here.announce(EAST)
    here.goes_to(OF_EAST, "site")
    here.goes_to(OF_WEST, "far")


def test_a_hostile_router_moves_nobody(site: VipSite) -> None:
    here = LearningSite(site, "most_changed = 1\nsettle = 1\nmost = 20\n")
    here.announce(WEST)
    here.goes_to(OF_WEST, "site")
    flood = [f"192.0.2.{number * 4}/30" for number in range(60)]
    nonsense = ["0.0.0.0/0", "::/0", "203.0.113.0/24", "10.0.0.0/8", "2001:db8:9::/48"]
    nonsense.append("198.51.100.64/26")
    here.announce(WEST, *nonsense, *flood)
    first = site.servers[1]
    here.until(lambda: len(learnt(first)["refused"]) >= 4, "it is refused")
    refused = {one["reason"]: one for one in learnt(first)["refused"]}
    assert refused["default-route"]["first"] in ("0.0.0.0/0", "::/0")
    assert refused["others-clients"]["first"] == "198.51.100.64/26"
    assert refused["too-long"]["count"] == 60
    assert refused["not-within"]["remedy"].startswith("add the block to within")
    assert learnt(first)["prefixes"] == 1
    many = [f"192.0.2.{number * 8}/29" for number in range(32)]
    text = site.network_file.read_text().replace("longest_v4 = 26", "longest_v4 = 29")
    site.network_file.write_text(text)
    here.announce(WEST, *many)
    here.until(lambda: learnt(first)["alarm"], "too many are an alarm")
    assert "coverage_alarm" in first.events()
    assert here.site_of(OF_WEST) == "site"
    assert here.site_of("192.0.2.9") == "far"
    assert site.router.ask("show", "protocols", "s1v4").count("Established") == 1


def test_a_large_change_waits_until_somebody_approves_it(site: VipSite) -> None:
    here = LearningSite(site, "settle = 1\n")
    here.announce(WEST)
    first, second = site.servers[1], site.servers[2]
    here.until(lambda: first.headrace("coverage", "diff").returncode == 1, "it waits")
    shown = first.headrace("coverage", "diff").stdout
    assert "comes  1 prefixes: 128 IPv4 addresses" in shown
    assert f"+ {WEST}" in shown
    assert here.site_of(OF_WEST) == "far"
    digest = learnt(first)["waiting"]["digest"]
    wrong = first.headrace("coverage", "approve", "at-site", "--change", "0123456789ab")
    assert wrong.returncode != 0
    assert "that waits is" in wrong.stderr
    done = first.headrace("coverage", "approve", "at-site", "--change", digest)
    assert "approved" in done.stdout, done.stderr
    here.goes_to(OF_WEST, "site")
    assert "coverage_approved" in first.events()
    here.until(lambda: learnt(second)["waiting"], "it waits at the other one too")
    digest = learnt(second)["waiting"]["digest"]
    assert second.headrace("coverage", "reject", "at-site", "--change", digest).returncode == 0
    assert learnt(second)["waiting"] is None
    assert here.site_of(OF_WEST) == "site"
    # Over a restart it is neither lost nor asked again.
    first.vip.kill()
    first.vip.start()
    here.until(lambda: up(first), "it is back")
    assert learnt(first)["prefixes"] == 1
