"""What a server announces of all that it knows, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.bgp.announcement import GRACEFUL_SHUTDOWN, by_prefix
from headrace.topology.model import AdminState, Topology, Withdrawal
from headrace.topology.view import ServerState, ServerView, View
from headrace.topology.vips import Announce, PreferBy, Vip
from headrace.vip.plan.health import Soundness, Verdict
from headrace.vip.plan.model import Address, Memory, Plan, Standing, Why
from headrace.vip.plan.order import site_order
from headrace.vip.plan.plan import HOLD_S, Known, plan
from headrace.vip.plan.wanted import Order
from tests.unit.vip.plan.sites import (
    NOW,
    SOUND,
    a_server,
    a_site,
    all_sound,
    names_of,
    neighbours_of,
)

SITE = a_site(map(a_server, names_of(3)), Announce(neighbours=1, linger_s=20.0, drain_s=10.0))
ORDER = site_order(SITE, "north")


def known(server: str = "n1", topology: Topology = SITE, **changes: object) -> Known:
    """Return what a server knows when all is well."""
    found = Known(
        site_order(topology, "north"),
        server,
        all_sound(topology),
        neighbours_of(topology, NOW),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def own(of: Plan) -> list[tuple[Standing, Why]]:
    """Return what a server does with its own VIPs."""
    return [(one.standing, one.why) for one in of.vips if one.owner == of.server]


def after(steps: list[tuple[float, Known]], memory: Memory | None = None) -> Plan:
    """Return the last of several plans."""
    found = None
    for at, each in steps:
        found, memory = plan(each, memory, NOW + at)
    assert found is not None
    return found


def test_own_vips_come_first_and_are_best() -> None:
    found, _ = plan(known(), None, NOW)
    assert own(found) == [(Standing.SERVING, Why.OWNER)] * 2
    others = [one for one in found.vips if one.owner != "n1"]
    assert all((one.rank, one.why) == (1, Why.NEIGHBOUR) for one in others)
    assert [one.announcement.med for one in found.vips[:2] if one.announcement] == [100, 100]
    assert {one.announcement.med for one in others if one.announcement} <= {200}
    assert len(found.announcements) == len(found.vips) == len(found.addresses)


def test_next_hops_are_own_addresses_of_the_family() -> None:
    found, _ = plan(known(), None, NOW)
    server = SITE.server("n1")
    for one in found.announcements:
        assert one.next_hop == (server.ipv4 if one.prefix.version == 4 else server.ipv6)[0]


def test_what_would_lead_to_another_machine_is_not_announced() -> None:
    server = SITE.server("n1")
    hop = server.ipv4[0]
    found, _ = plan(known(elsewhere={hop}), None, NOW)
    of_v4 = [one for one in found.vips if one.vip.version == 4]
    assert of_v4
    assert {(one.standing, one.why, one.note) for one in of_v4} == {
        (Standing.OUT, Why.ELSEWHERE, str(hop))
    }
    # The other family has a next hop of its own.
    assert found.announcements
    assert all(one.prefix.version == 6 for one in found.announcements)
    # Another server's address is of no account.
    others = SITE.server("n2").ipv4[0]
    assert plan(known(elsewhere={others}), None, NOW) == plan(known(), None, NOW)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (None, (Standing.OUT, Why.NOT_CHECKED)),
        (Verdict(Soundness.UNKNOWN), (Standing.OUT, Why.NOT_CHECKED)),
        (Verdict(Soundness.FAILED), (Standing.OUT, Why.FAILED)),
        (Verdict(Soundness.DEGRADED), (Standing.WORSE, Why.DEGRADED)),
        (Verdict(Soundness.SOUND, damped=True), (Standing.WORSE, Why.DAMPED)),
    ],
)
def test_only_what_a_check_found_served_is_announced(
    verdict: Verdict | None, expected: tuple[Standing, Why]
) -> None:
    vip = SITE.server("n1").vips[0].addresses[0]
    verdicts: dict[Address, Verdict] = dict(all_sound(SITE))
    del verdicts[vip]
    if verdict is not None:
        verdicts[vip] = verdict
    found, _ = plan(known(verdicts=verdicts), None, NOW)
    (one,) = (each for each in found.vips if each.vip == vip)
    assert (one.standing, one.why) == expected
    assert (one.announcement is None) is (one.standing is Standing.OUT)


DRAINS = Order(AdminState.DRAINING)


def test_a_drain_lingers_then_is_worse_then_is_out_and_returns() -> None:
    states = []
    memory = None
    for at, order in ((-1, None), (0, DRAINS), (19, DRAINS), (20, DRAINS), (29, DRAINS),
                      (30, DRAINS), (99, DRAINS), (100, None)):  # fmt: skip
        each = known(own=order, neighbours=neighbours_of(SITE, NOW + at))
        found, memory = plan(each, memory, NOW + at)
        states.append(own(found)[0])
    assert states == [
        (Standing.SERVING, Why.OWNER),
        (Standing.SERVING, Why.LINGERS),
        (Standing.SERVING, Why.LINGERS),
        (Standing.WORST, Why.DRAINS),
        (Standing.WORST, Why.DRAINS),
        (Standing.OUT, Why.WITHDRAWN),
        (Standing.OUT, Why.WITHDRAWN),
        (Standing.SERVING, Why.OWNER),
    ]


def test_what_drains_is_marked_and_worse_than_every_neighbour() -> None:
    found = after([(0, known()), (1, known(own=DRAINS, connections=0))])
    worst = {one.med for one in found.announcements}
    assert min(one or 0 for one in worst) > 100 + 100 * 1
    assert all(GRACEFUL_SHUTDOWN in one.communities for one in found.announcements)
    quiet = a_site(SITE.servers, replace(SITE.sites[0].announce, graceful_shutdown=False))
    ends = known(topology=quiet, own=DRAINS, connections=0)
    found = after([(0, known(topology=quiet)), (1, ends)])
    assert own(found)[0] == (Standing.WORST, Why.DRAINS)
    assert not any(one.communities for one in found.announcements)


def test_when_connections_have_ended_it_leaves_earlier_but_not_at_once() -> None:
    ended = known(own=DRAINS, connections=0)
    fresh = replace(ended, neighbours=neighbours_of(SITE, NOW + 5))
    start = [(-1.0, known()), (0.0, ended)]
    assert own(after([*start, (4.9, fresh)]))[0] == (Standing.WORST, Why.DRAINS)
    assert own(after([*start, (5.0, fresh)]))[0] == (Standing.OUT, Why.WITHDRAWN)


def leaves(**changes: object) -> list[tuple[Standing, Why]]:
    """Return what a server does with its VIPs that has drained to the end."""
    gone = known(own=DRAINS, neighbours=neighbours_of(SITE, NOW + 31))
    gone = replace(gone, **changes)  # type: ignore[arg-type]
    return own(after([(-1.0, known()), (0.0, gone), (20.0, gone), (31.0, gone)]))


STAYS = [(Standing.WORST, Why.LAST)] * 2
GONE = [(Standing.OUT, Why.WITHDRAWN)] * 2


def test_the_last_that_serves_a_vip_stays() -> None:
    neighbour = ORDER.vips[SITE.server("n1").vips[0].addresses[0]].names[1]
    (other,) = {"n2", "n3"} - {neighbour}
    failed = View(servers={neighbour: ServerView(ServerState.FAILED)})
    drains = View(servers={neighbour: ServerView(ServerState.DRAINING)})
    assert leaves() == GONE
    assert leaves(neighbours=neighbours_of(SITE, NOW + 31, failed=[other])) == GONE
    assert leaves(neighbours=neighbours_of(SITE, NOW + 31, failed=[neighbour])) == STAYS
    assert leaves(neighbours=neighbours_of(SITE, NOW + 31, leaving=[neighbour])) == STAYS
    assert leaves(neighbours=neighbours_of(SITE, NOW + 20)) == STAYS  # too old
    assert leaves(neighbours={}) == STAYS
    assert leaves(view=failed) == STAYS  # the view and the own check disagree
    assert leaves(view=failed, view_age_s=61.0) == GONE  # but for one that nobody renewed
    assert leaves(view=drains, view_age_s=1e6) == STAYS


def test_what_a_neighbour_says_of_its_announcements_counts() -> None:
    near = neighbours_of(SITE, NOW + 31)
    vips = frozenset(SITE.server("n1").vips[0].addresses)
    says = {name: replace(one, announces=vips) for name, one in near.items()}
    assert leaves(neighbours=says) == GONE
    says = {name: replace(one, announces=frozenset()) for name, one in near.items()}
    assert leaves(neighbours=says) == STAYS


def test_an_operator_may_force_it() -> None:
    now = known(own=Order(AdminState.WITHDRAWN, "fire", force=True), neighbours={})
    found = after([(-1, known()), (0, now)])
    assert own(found) == [(Standing.OUT, Why.FORCED)] * 2
    assert {one.note for one in found.vips} == {"fire"}
    assert not found.announcements


def test_an_order_ends_by_itself() -> None:
    ends = known(own=replace(DRAINS, until=NOW + 5))
    assert own(after([(-1, known()), (0, ends)]))[0][1] is Why.LINGERS
    assert own(after([(-1, known()), (0, ends), (5, ends)]))[0][1] is Why.OWNER


def test_a_whole_site_is_withdrawn_by_plan_and_returns() -> None:
    planned = a_site(
        SITE.servers, SITE.sites[0].announce, (Withdrawal(NOW + 60, NOW + 120, site="north"),)
    )
    each = known(topology=planned, neighbours={})
    states = []
    memory = None
    for at in (0, 59, 60, 70, 119, 120):
        found, memory = plan(each, memory, NOW + at)
        states.append(own(found)[0])
    assert states == [
        (Standing.SERVING, Why.OWNER),
        (Standing.SERVING, Why.OWNER),
        (Standing.WORST, Why.DRAINS),
        (Standing.OUT, Why.WITHDRAWN),
        (Standing.OUT, Why.WITHDRAWN),
        (Standing.SERVING, Why.OWNER),
    ]


def test_a_server_that_starts_while_it_is_to_be_out_announces_nothing() -> None:
    out = replace(SITE.server("n1"), state=AdminState.WITHDRAWN)
    topology = a_site([out, *SITE.servers[1:]], SITE.sites[0].announce)
    assert own(plan(known(topology=topology), None, NOW)[0]) == GONE
    alone = known(topology=topology, neighbours=neighbours_of(topology, NOW, failed=["n2", "n3"]))
    assert own(plan(alone, None, NOW)[0]) == STAYS


def test_a_view_that_saw_it_fail_makes_it_worse_and_never_out() -> None:
    failed = View(servers={"n1": ServerView(ServerState.FAILED)})
    each = known(view=failed, view_age_s=1.0)
    assert own(plan(each, None, NOW)[0]) == [(Standing.WORSE, Why.SEEN_FAILED)] * 2
    old = replace(each, view_age_s=61.0)
    assert own(plan(old, None, NOW)[0]) == [(Standing.SERVING, Why.OWNER)] * 2
    healed = replace(each, verdicts=dict.fromkeys(all_sound(SITE), replace(SOUND, for_s=14.0)))
    assert own(plan(healed, None, NOW)[0]) == [(Standing.SERVING, Why.OWNER)] * 2


def test_what_it_was_a_neighbour_of_is_held_for_a_while() -> None:
    more = a_site([*SITE.servers, *map(a_server, ("n4", "n5", "n6", "n7"))], SITE.sites[0].announce)
    before = set(plan(known(), None, NOW)[0].addresses)
    _, memory = plan(known(), None, NOW)
    found, memory = plan(known(topology=more), memory, NOW)
    left = before - set(plan(known(topology=more), None, NOW)[0].addresses)
    assert left  # four more servers: by their names, some VIP of n2 or n3 has another neighbour
    standings = {one.vip: (one.standing, one.why) for one in found.vips}
    assert all(standings[vip] == (Standing.LEAVING, Why.LEAVING) for vip in left)
    late, _ = plan(known(topology=more), memory, NOW + HOLD_S + 1)
    assert not left & set(late.addresses)


def test_what_is_held_gives_way_to_a_vip_in_its_prefix() -> None:
    """Between two descriptions, each fine by itself, a block may get another VIP."""
    announce = Announce(1, PreferBy.SPECIFIC)
    before = a_site(SITE.servers, announce)
    first = SITE.server("n1").vips[0]
    assert first.ipv4 is not None
    moved = replace(SITE.server("n1"), vips=(Vip(ipv4=first.ipv4 + 1),))
    after_it = a_site([moved, *SITE.servers[1:]], announce)
    _, memory = plan(known(topology=before), None, NOW)
    verdicts = all_sound(before) | all_sound(after_it)
    found, _ = plan(known(topology=after_it, verdicts=verdicts), memory, NOW)
    assert first.ipv4 not in found.addresses
    assert first.ipv6 in found.addresses
    assert len(by_prefix(found.announcements)) == len(found.vips)


@pytest.mark.parametrize("by", PreferBy)
def test_better_is_said_as_the_site_prefers(by: PreferBy) -> None:
    announce = Announce(
        1, by, prepend=2, communities=("64500:3", "64500:1:2"), ipv4_length=31, ipv6_length=127
    )
    topology = a_site(SITE.servers, announce)
    found, memory = plan(known(topology=topology), None, NOW)
    best, *_, worse = (one.announcement for one in found.vips)
    drained, _ = plan(known(topology=topology, own=DRAINS, connections=0), memory, NOW)
    worst = drained.vips[0].announcement
    assert best is not None
    assert worse is not None
    assert worst is not None
    meds = [one.med for one in (best, worse, worst)]
    assert meds == [100, 200, 700]
    lengths = [one.prefix.max_prefixlen - one.prefix.prefixlen for one in (best, worse, worst)]
    assert lengths == ([1, 2, 3] if by is PreferBy.SPECIFIC else [1, 1, 1])
    prepended = [one.prepend for one in (best, worse, worst)]
    assert prepended == ([0, 2, 4] if by is PreferBy.PREPEND else [0, 0, 0])
    communities = [(set(one.communities), set(one.large_communities)) for one in (best, worse)]
    if by is PreferBy.COMMUNITY:
        assert communities == [({(64500, 3)}, set()), (set(), {(64500, 1, 2)})]
        assert worst.large_communities == {(64500, 1, 2)}
    else:
        assert communities == [(set(), set())] * 2
    assert worst.communities == {GRACEFUL_SHUTDOWN}
