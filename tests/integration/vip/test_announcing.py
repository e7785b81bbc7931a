"""A real edge and a real VIP process announce to a real BIRD what is served, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.namespaces import Namespaces
from tests.harness.vip_site import BODY, VipSite, vip6_of, vip_of


@pytest.fixture
def site(namespaces: Namespaces, open_path: Path) -> VipSite:
    """A site of two servers, not started."""
    return VipSite(namespaces, open_path)


def test_each_vip_goes_to_its_owner_and_to_the_neighbour_when_its_edge_dies(site: VipSite) -> None:
    site.start()
    assert site.fetch(vip_of(1)) == site.fetch(vip6_of(2)) == BODY
    first = site.servers[1]
    first.edge.kill()
    site.goes_to(vip_of(1), 2)
    site.goes_to(vip6_of(1), 2)
    assert site.fetch(vip_of(1)) == BODY
    first.edge.start()
    site.settled()
    assert "nothing listens on port 443" in first.events()
    assert first.vip.stop() == 0
    site.goes_to(vip_of(1), 2)
    assert first.bound() == set()
