"""How good announcements are, at the bounds that the check of a description allows."""

from __future__ import annotations

from itertools import pairwise

import pytest

from headrace.bgp.announcement import MOST_MED, MOST_PREPENDED, Announcement
from headrace.config.network import vips
from headrace.config.network.wrong_announcements import GROUPS
from headrace.topology.vips import Announce, PreferBy
from headrace.vip.plan.model import Standing
from headrace.vip.plan.preference import announcement, block
from tests.harness.best_path import Router
from tests.unit.vip.plan.sites import a_server

VIP = a_server("n1").vips[0].addresses[0]
STANDINGS = [one for one in Standing if one is not Standing.OUT]


def all_of(announce: Announce) -> list[Announcement]:
    """Return every announcement of a VIP that there can be, the best first."""
    return [
        announcement(announce, VIP, standing, rank, None)
        for standing in STANDINGS
        for rank in range(announce.neighbours + 1)
    ]


@pytest.mark.parametrize("neighbours", range(vips.MOST_NEIGHBOURS + 1))
@pytest.mark.parametrize("by", PreferBy)
def test_each_announcement_is_better_than_all_after_it(by: PreferBy, neighbours: int) -> None:
    communities = tuple(f"64500:{number}" for number in range(neighbours + 1))
    announce = Announce(neighbours, by, communities=communities)
    worths = [Router(communities).worth(one) for one in all_of(announce)]
    assert all(better > worse for better, worse in pairwise(worths))


@pytest.mark.parametrize("neighbours", range(vips.MOST_NEIGHBOURS + 1))
def test_the_worst_is_within_the_bounds_that_are_checked(neighbours: int) -> None:
    ranks = neighbours + 1
    med_step = MOST_MED // (GROUPS * ranks - 1)
    prepend = MOST_PREPENDED // ranks
    announce = Announce(neighbours, PreferBy.PREPEND, 0, med_step, prepend)
    worst = all_of(announce)[-1]
    assert worst.med == med_step * (GROUPS * ranks - 1)
    assert worst.prepend == prepend * ranks
    assert (vips.MOST_MED, vips.MOST_PREPENDED) == (MOST_MED, MOST_PREPENDED)


def test_the_block_of_a_vip_has_all_that_is_announced_for_it() -> None:
    for by in PreferBy:
        announce = Announce(2, by, communities=("1:1", "1:2", "1:3"), ipv4_length=30)
        lengths = [one.prefix.prefixlen for one in all_of(announce)]
        assert block(announce, VIP).prefixlen == min(lengths)
