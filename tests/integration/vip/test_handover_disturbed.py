"""The handover while somebody disturbs it: firewalls, operators, kills; and along a chain."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from headrace.lab.errors import LabError
from headrace.vip.handover.ruleset import DEVICE, TABLE
from tests.harness.downloads import download, handover, passes
from tests.harness.namespaces import Namespaces
from tests.harness.vip_daemons import own_bird, own_frr
from tests.harness.vip_site import LARGE, VipServer, VipSite, vip6_of, vip_of

pytestmark = pytest.mark.timeout(400)

REST_LOOKS = 15  # some 5 s
FLUSH_ALL = ("nft", "flush", "ruleset")
FLUSH_OURS = ("nft", "flush", "table", "ip6", TABLE)
DISTURBANCES = (
    FLUSH_ALL,
    FLUSH_OURS,
    ("nft", "delete", "element", "ip", TABLE, "ends", "{ 10.99.1.2 }"),
    ("ip", "link", "del", DEVICE),
    ("ip", "link", "set", DEVICE, "down"),
    ("ip", "route", "flush", "dev", DEVICE),
    ("ip", "neighbour", "flush", "dev", DEVICE, "nud", "permanent"),
)


def known(server: VipServer) -> list[str]:
    """What the kernel has of it, without what is counted."""
    words = (
        *(("nft", "-s", "list", "table", family, TABLE) for family in ("ip", "ip6")),
        *(("ip", family, "route", "show", "dev", DEVICE) for family in ("-4", "-6")),
        ("ip", "neighbour", "show", "dev", DEVICE),
        ("bridge", "fdb", "show", "dev", DEVICE),
    )
    try:
        return [server.where.run(*one) for one in words]
    except LabError:
        return []


def at_rest(site: VipSite, server: VipServer) -> list[str]:
    """What the kernel has of it, once that has stayed the same: at first a server does not know yet
    who had a VIP before.
    """
    looks: list[list[str]] = []

    def is_at_rest() -> bool:
        looks.append(known(server))
        return len(looks) > REST_LOOKS and all(one == looks[-1] for one in looks[-REST_LOOKS:])

    site.until(is_at_rest, "the rules stay as they are")
    assert looks[-1]
    return looks[-1]


def said(server: VipServer, count: int) -> bool:
    """Whether it said so often that something was removed."""
    return server.events().count("handover_removed") == count


def test_what_somebody_removes_is_noticed_said_and_made_again(
    namespaces: Namespaces, open_path: Path
) -> None:
    site = VipSite(namespaces, open_path)
    site.describe('linger = "60s"\ndrain = "5s"')
    site.start()
    first, second = site.servers[1], site.servers[2]
    site.until(lambda: passes(second, vip_of(1)) == "s1", "s2 passes on to s1")
    site.until(lambda: passes(first, vip_of(2)) == "s2", "s1 passes on to s2")
    before = at_rest(site, second)
    for number, words in enumerate(DISTURBANCES, 1):
        second.where.run(*words)
        site.until(partial(said, second, number), f"it is said: {words}")
        assert known(second) == before
    # What is changed often by others costs nothing, and nothing is said of it.
    for _ in range(30):
        second.where.nft("table inet other { }\ndelete table inet other\n")
    running = download(site, vip_of(1))
    assert first.headrace("drain").returncode == 0
    site.goes_to(vip_of(1), 2)
    running.ends_well(site.directory / "files" / LARGE[1:])
    assert second.events().count("handover_removed") == len(DISTURBANCES)


def test_a_dead_vip_process_does_not_cut_what_its_edge_serves(
    namespaces: Namespaces, open_path: Path
) -> None:
    site = VipSite(namespaces, open_path)
    site.start()
    first, second = site.servers[1], site.servers[2]
    site.until(lambda: passes(second, vip_of(1)) == "s1", "s2 passes on to s1")
    large = site.directory / "files" / LARGE[1:]
    running = [download(site, vip) for vip in (vip_of(1), vip6_of(1))]
    first.vip.kill()
    site.goes_to(vip_of(1), 2)
    site.goes_to(vip6_of(1), 2)
    assert all(one.runs() for one in running)
    new = download(site, vip_of(1))
    site.until(lambda: handover(second, "passed") > 0, "packets were passed on")
    first.vip.start()
    site.settled()
    for one in (*running, new):
        one.ends_well(large)


def test_servers_that_drain_one_after_another_keep_what_they_have(
    namespaces: Namespaces, open_path: Path
) -> None:
    """With three servers, and a BIRD, an FRR and an ExaBGP as their speakers."""
    site = VipSite(namespaces, open_path, servers=3)
    site.describe('linger = "90s"\ndrain = "5s"')
    own = {1: own_bird(site.servers[1])[1], 2: own_frr(site.servers[2])[1]}
    for number, server in site.servers.items():
        server.write_edge(site.pair)
        server.write_vip(**({"speaker": own[number]} if number in own else {}))
        server.where.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
        server.edge.start()
        server.vip.start()
    for server in site.servers.values():
        server.ready()
    site.settled()
    large = site.directory / "files" / LARGE[1:]
    vips = (vip_of(1), vip6_of(1))
    running = [download(site, vip) for vip in vips]
    at = [1]
    for _ in range(2):
        server = site.servers[at[-1]]
        for other in (one for number, one in site.servers.items() if number not in at):
            site.until(partial(passes, other, vip_of(1)), f"{other.name} passes on")
        assert server.headrace("drain").returncode == 0
        site.until(lambda: via(site) not in (None, *at), f"the VIP leaves {server.name}")
        found = via(site)
        assert found is not None
        site.goes_to(vip6_of(1), found)
        at.append(found)
        running += [download(site, vip) for vip in vips]
        assert all(one.runs() for one in running)
    assert len(set(at)) == 3
    for one in running:
        one.ends_well(large)
    site.until(lambda: handover(site.servers[at[1]], "passed") > 0, "the second asked the first")


def via(site: VipSite) -> int | None:
    """The server that the router sends the first VIP to."""
    hop = site.router.via(f"{vip_of(1)}/32")
    return next((number for number, one in site.servers.items() if one.own == hop), None)
