"""What one turn of the handover has the kernel do."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from headrace.bgp.announcement import Announcement, Family
from headrace.config.vip.handing import HandoverTable
from headrace.vip.events import Events
from headrace.vip.handover import running
from headrace.vip.handover.cookies import QUIET_S, Cookies
from headrace.vip.handover.running import Handover
from headrace.vip.handover.wish import Wish
from headrace.vip.plan.floor import Neighbour
from headrace.vip.plan.health import Soundness
from headrace.vip.plan.hearing import Hearing
from headrace.vip.plan.model import Address, Plan, PlannedVip, Standing, Why
from tests.unit.vip.handover.test_silence import session
from tests.unit.vip.handover.test_wish import an_order

NOW = 1000.0


def test_a_flood_does_not_change_whom_packets_are_passed_on_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "netstat"
    monkeypatch.setattr(running, "Cookies", lambda: Cookies(file))
    events, wished = Events(), list[Wish]()
    handover = Handover(HandoverTable(), events, lambda: None)
    monkeypatch.setattr(handover.passing, "want", wished.append)
    order = an_order(2, 1)
    vips = frozenset(order.vips)
    others = {"n2": Neighbour(Soundness.SOUND, NOW, announces=vips, takes=8094)}
    for at, sent in ((0, 5), (1, 6), (2, 6), (1 + QUIET_S, 6)):
        file.write_text(f"TcpExt: SyncookiesSent\nTcpExt: {sent}\n")
        handover.turn(order, Plan("n1"), others, NOW + at, 3.0)
    assert [one.cookies for one in wished] == [False, True, True, False]
    assert {frozenset(one.targets) for one in wished} == {frozenset((vip, "n2") for vip in vips)}
    kinds = [one.kind for one in reversed(events.last(100)) if "cookies" in one.kind]
    assert kinds == ["handover_cookies", "handover_no_cookies"]


@pytest.mark.parametrize("takes", [None, 8094])
def test_events_say_once_that_a_server_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, takes: int | None
) -> None:
    """Where it takes no packets, it keeps nothing back, and says nothing, however long."""
    events = Events()
    handover = Handover(HandoverTable(), events, lambda: None)
    wanted = list[frozenset[Address]]()
    monkeypatch.setattr(handover.passing, "want", lambda _wish: None)
    monkeypatch.setattr(handover._silencing, "want", wanted.append)
    monkeypatch.setattr(Handover, "takes", takes)
    order = an_order(2, 1)
    vips = frozenset(order.vips)
    sound = {"n2": Neighbour(Soundness.SOUND, NOW, announces=vips, takes=8094)}
    handover.turn(order, Plan("n1"), sound, NOW, 3.0)
    for at in range(1, 5):
        dead = {"n2": Neighbour(Soundness.FAILED, NOW + at)}
        handover.turn(order, Plan("n1"), dead, NOW + at, 3.0)
    assert handover.kept_back_s(NOW + 10) == (None if takes is None else 9.0)
    told = [one for one in events.last(100) if one.kind == "handover_silence"]
    assert len(told) == (0 if takes is None else len(vips))
    assert handover.kept_back == wanted[-1] == (frozenset() if takes is None else vips)


def test_a_server_whose_line_is_down_gives_nobody_up_and_passes_on_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its session seems to live yet, and nobody else has had its VIP. When it is back, the rules
    are those that it needs."""
    wished = list[Wish]()
    handover = Handover(HandoverTable(), Events(), lambda: None)
    monkeypatch.setattr(handover.passing, "want", wished.append)
    monkeypatch.setattr(handover._silencing, "want", lambda _vips: None)
    order = an_order(3, 2, owners=1)
    sessions = [session("10.0.0.2", "10.0.0.1"), session("fd00::2", "fd00::1")]
    hearings = dict.fromkeys(Family, Hearing(NOW - 100))
    serving = (
        PlannedVip(vip, "n1", 0, Standing.SERVING, Why.OWNER, "", Announcement(ip_network(vip)))
        for vip in order.vips
    )
    plan = Plan("n1", tuple(serving))
    ((_me, first, second),) = {one.names for one in order.vips.values()}
    begun = {first: NOW, second: NOW + 0.5}
    for tenth in range(60):
        now, is_down = NOW + tenth / 10, tenth >= 20
        handover._lines.up = frozenset(() if is_down else (one.local for one in sessions))
        others = {
            name: Neighbour(Soundness.FAILED, at + 2)
            if is_down and now > at + 2
            else Neighbour(Soundness.SOUND, at, announces=frozenset(order.vips), takes=8094)
            for name, at in begun.items()
        }
        handover.turn(order, plan, others, now, 2.0, hearings, sessions)
        assert dict(wished[-1].targets) == dict.fromkeys(order.vips, first)


def test_what_fails_and_what_works_again_are_events(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events()
    handover = Handover(HandoverTable(), events, lambda: None)
    monkeypatch.setattr(handover.passing, "want", lambda _wish: None)
    for at, problem in enumerate(("", "nft hangs", "nft hangs", "")):
        handover.passing.problem = problem
        handover.turn(an_order(2, 1), Plan("n1"), {}, NOW + at, 3.0)
    kinds = ("handover_problem", "handover_mended")
    told = [(one.kind, one.detail) for one in reversed(events.last(9)) if one.kind in kinds]
    assert told == [("handover_problem", "nft hangs"), ("handover_mended", "")]
