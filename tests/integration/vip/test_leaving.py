"""A server leaves without cutting anybody, stays away over restarts, and comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness.namespaces import Namespaces
from tests.harness.vip_site import (
    BODY,
    HOST,
    LARGE,
    LARGE_BYTES,
    TOKEN,
    VipServer,
    VipSite,
    vip6_of,
    vip_of,
)

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def site(namespaces: Namespaces, open_path: Path) -> VipSite:
    """A site of two servers that announce their VIPs; without a handover, what drains lingers."""
    made = VipSite(namespaces, open_path)
    made.describe('linger = "60s"\ndrain = "5s"')
    made.start({"handover": {"enabled": False}})
    return made


def phase(server: VipServer) -> str:
    """How far a server is on its way out."""
    return str(server.status().get("phase"))


def report(server: VipServer) -> object:
    """What its edge tells the feedback loop."""
    text = server.curl("-H", f"Authorization: Bearer {TOKEN}", "http://127.0.0.1:9090/report")
    return json.loads(text).get("draining", False)


def test_a_drained_server_ends_what_runs_and_returns_when_it_is_told(site: VipSite) -> None:
    first = site.servers[1]
    running = site.where.popen(
        [
            *("curl", "-sS", "--limit-rate", "2M", "-o", str(site.directory / "got")),
            *("--cacert", str(site.authority.ca_file)),
            *("--resolve", f"{HOST}:443:{vip_of(1)}", f"https://{HOST}{LARGE}"),
        ]
    )
    site.until((site.directory / "got").exists, "the download has begun")
    done = first.headrace("drain", "--reason", "new disks")
    assert done.returncode == 0, done
    assert "wanted draining (new disks); now" in done.stdout
    site.until(lambda: report(first), "the edge says that it drains, which the loop reads")
    assert running.poll() is None
    assert phase(first) == "lingering"
    site.goes_to(vip_of(1), 1)
    assert running.wait(60) == 0
    assert (site.directory / "got").stat().st_size == LARGE_BYTES
    site.until(lambda: phase(first) == "out", "it is out")
    site.goes_to(vip_of(1), 2)
    site.goes_to(vip6_of(1), 2)
    assert site.fetch(vip_of(1)) == BODY
    assert first.headrace("status", "--check").returncode == 0  # it is wanted so
    # Over a restart, and over a kill.
    assert first.vip.stop() == 0
    first.vip.start()
    first.ready()
    assert phase(first) == "out"
    first.vip.kill()
    first.vip.start()
    first.ready()
    assert phase(first) == "out"
    assert site.router.via(f"{vip_of(1)}/32") == "10.99.2.2"

    assert "wanted online" in first.headrace("return").stdout
    site.settled()
    site.until(lambda: not report(first), "its edge serves")


def test_the_last_server_does_not_leave_but_by_force(site: VipSite) -> None:
    first, second = site.servers[1], site.servers[2]
    second.edge.kill()
    site.goes_to(vip_of(2), 1)
    assert first.headrace("drain", "--now").returncode == 0
    site.until(lambda: phase(first) == "out", "it would be out")
    explained = first.headrace("explain", vip_of(1)).stdout
    assert "nobody else is known to serve it" in explained
    assert "nothing listens on port 443" in explained
    site.goes_to(vip_of(1), 1)
    assert site.fetch(vip_of(1)) == BODY

    def others_know() -> bool:
        found = second.headrace("explain", vip_of(2)).stdout
        return f"{first.name} has it\n" in found and "behind all that serve it, drains" in found

    site.until(others_know, "the one that failed knows who has its VIPs")
    assert f"; announced by {first.name}" in second.headrace("status", "--check").stdout
    assert first.headrace("drain", "--force").returncode == 0
    site.goes_to(vip_of(1), None)
    assert first.headrace("return").returncode == 0
    site.goes_to(vip_of(1), 1)


def test_a_description_that_withdraws_a_server_is_followed(site: VipSite) -> None:
    site.describe('linger = "0s"\ndrain = "5s"', states={1: "withdrawn"})
    site.goes_to(vip_of(1), 2)
    first = site.servers[1]
    site.until(lambda: phase(first) == "out", "it is out")
    assert "by the description" in first.headrace("plan").stdout
    site.describe('linger = "0s"\ndrain = "5s"')
    site.settled()
