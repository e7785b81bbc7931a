"""Downloads go on, byte for byte, while their VIP moves between servers that live."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.harness.downloads import download, handover, passes
from tests.harness.namespaces import Namespaces
from tests.harness.vip_site import BODY, LARGE, VipServer, VipSite, vip6_of, vip_of

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def site(namespaces: Namespaces, open_path: Path) -> VipSite:
    """A site of two servers whose kernels check senders strictly."""
    made = VipSite(namespaces, open_path)
    made.describe('linger = "60s"\ndrain = "5s"')
    for server in made.servers.values():
        server.where.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
    made.start()
    first, second = made.servers[1], made.servers[2]
    made.until(lambda: passes(second, vip_of(1)) == "s1", "s2 passes on to s1")
    made.until(lambda: passes(first, vip_of(2)) == "s2", "s1 passes on to s2")
    return made


def test_downloads_outlive_a_drain_and_a_return(site: VipSite) -> None:
    first, second = site.servers[1], site.servers[2]
    large = site.directory / "files" / LARGE[1:]
    old = [download(site, vip) for vip in (vip_of(1), vip6_of(1))]
    assert first.headrace("drain").returncode == 0
    # It does not linger: the route moves, and what is open does not notice.
    site.goes_to(vip_of(1), 2)
    site.goes_to(vip6_of(1), 2)
    assert all(one.runs() for one in old)
    assert first.status()["phase"] == "worse"
    for one in old:
        one.ends_well(large)
    site.until(lambda: handover(second, "passed") > 0, "packets were passed on")
    site.until(lambda: handover(first, "taken") > 0, "packets were taken")
    new = [download(site, vip) for vip in (vip_of(1), vip6_of(1))]
    assert first.headrace("return").returncode == 0
    site.settled()
    assert all(one.runs() for one in new), "too fast to be of use"
    assert passes(first, vip_of(1)) == "s2"
    assert site.fetch(vip_of(1)) == BODY
    for one in new:
        one.ends_well(large)
    site.until(lambda: handover(first, "passed") > 0, "packets were passed on")


def test_vips_taken_out_of_the_description_hold_up_no_plan(site: VipSite) -> None:
    first, second = site.servers[1], site.servers[2]

    def leaves(server: VipServer) -> bool:
        return {one["vip"]: one["standing"] for one in server.status().get("vips", [])} == {
            vip_of(1): "leaving", vip6_of(1): "leaving",
            vip_of(2): "serving", vip6_of(2): "serving",
        }  # fmt: skip

    site.describe('linger = "60s"\ndrain = "5s"', without=[1])
    for server in (first, second):
        site.until(partial(leaves, server), f"{server.name} plans by it")
        assert "plan_failed" not in server.vip.log()
    # Old routes lead there yet, and what comes by them is served.
    site.settled()
    assert site.fetch(vip_of(1)) == BODY
    site.describe('linger = "60s"\ndrain = "5s"')
    site.until(lambda: passes(second, vip_of(1)) == "s1", "s2 passes on to s1 again")
    site.settled()


def test_a_neighbour_that_dies_is_asked_no_more(site: VipSite) -> None:
    first, second = site.servers[1], site.servers[2]
    large = site.directory / "files" / LARGE[1:]
    second.edge.kill()
    site.until(lambda: passes(first, vip_of(2)) == "", "nothing is passed on to the dead")
    site.goes_to(vip_of(2), 1)
    assert site.fetch(vip_of(2)) == BODY
    running = download(site, vip_of(2))
    second.edge.start()
    site.settled()
    running.ends_well(large)
    # Whoever ends leaves nothing in the kernel.
    assert first.vip.stop() == 0
    assert "headrace" not in first.where.ip("link", "show")
