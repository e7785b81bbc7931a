"""Several observers decide as one: whoever dies, stands still, is cut off or has a wrong clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from headrace.feedback.deciding import Moment
from headrace.feedback.exchange.others import Received
from headrace.feedback.observation import Outcome
from headrace.feedback.orders import Wish, freeze, wish_server
from headrace.feedback.states.model import AlarmKind
from headrace.topology.view import ServerState, View
from tests.harness.observers import START, Observers
from tests.unit.feedback.networks import network

SERVER = "s0a0"


def observers(**options: object) -> Observers:
    return Observers(network(), **options)  # type: ignore[arg-type]


def failed(view: View) -> set[str]:
    return {name for name, one in view.servers.items() if one.state is ServerState.FAILED}


def seen(all_of: Observers) -> set[str]:
    """Return what the newest view of all of them says has failed."""
    newest = [one.deciding.published for one in all_of.members.values() if one.runs]
    return failed(max((one for one in newest if one), key=lambda one: one.order).view)


def check_monotone(all_of: Observers) -> None:
    for one in all_of.members.values():
        orders = [(view.made_at, view.version) for view in one.published]
        assert orders == sorted(orders), one.name


def test_the_first_decides_and_all_publish_the_same() -> None:
    three = observers()
    three.seconds(10)
    assert three.decides() == {"a"}
    assert len(three.views()) == 1
    three.failing[SERVER] = Outcome.REFUSED
    three.seconds(3)
    assert seen(three) == {SERVER}
    assert len(three.views()) == 1
    check_monotone(three)


def test_one_alone_decides_at_once() -> None:
    one = observers(names=("a",))
    one.seconds(1)
    assert one.decides() == {"a"}
    assert one["a"].deciding.published is not None


def test_one_with_no_memory_publishes_nothing_before_it_knows_all_servers() -> None:
    one = observers(names=("a",))
    one.unprobed = {SERVER}
    one.seconds(3)
    assert one["a"].published == []
    assert one["a"].deciding.decides is None
    one.unprobed.clear()
    one.failing[SERVER] = Outcome.TIMEOUT
    one.seconds(2)
    assert one["a"].published == []
    one.seconds(2)
    assert failed(one["a"].published[0]) == {SERVER}
    assert one["a"].deciding.alarms == ()


def test_what_cannot_be_probed_is_waited_for_so_long_and_then_an_alarm() -> None:
    one = observers(names=("a",))
    one.unprobed = {SERVER}
    one.seconds(12)
    assert one["a"].published != []
    assert SERVER in one["a"].deciding.alarms[0].text
    one.unprobed.clear()
    one.seconds(2)
    assert one["a"].deciding.alarms == ()
    raised = [event for event in one["a"].events if b"unprobed" in event]
    assert [b'"raised":true' in event for event in raised] == [True, False]


def test_a_senior_with_no_memory_takes_over_when_it_has_adopted_one() -> None:
    three = observers()
    three.seconds(10)
    three.failing[SERVER] = Outcome.TIMEOUT
    three.seconds(5)
    three.kill("a")
    three.seconds(5)
    three.restart("a", with_state=False)
    three["a"].unreached = True
    for _second in range(10):
        three.seconds(1)
        assert seen(three) == {SERVER}
    assert three.decides() == {"a"}


def test_a_senior_that_knows_nothing_lets_the_next_begin() -> None:
    two = observers(names=("a", "b"))
    two["a"].unreached = True
    began: list[str] = []
    for _second in range(8):
        two.seconds(1)
        began += [name for name in two.names if two[name].deciding.step is not None]
    assert began[0] == "b"


def test_the_next_continues_when_the_first_is_killed() -> None:
    three = observers()
    three.seconds(10)
    three.failing[SERVER] = Outcome.TIMEOUT
    three.seconds(5)
    three.kill("a")
    three.seconds(10)
    assert three.decides() == {"b"}
    assert seen(three) == {SERVER}
    three.failing["s1a1"] = Outcome.REFUSED
    three.seconds(4)
    assert seen(three) == {SERVER, "s1a1"}
    assert len(three.views()) == 1
    check_monotone(three)


def test_one_that_comes_back_hears_first_what_was_decided() -> None:
    three = observers()
    three.seconds(10)
    three.kill("a")
    three.failing[SERVER] = Outcome.REFUSED
    three.seconds(8)
    three.restart("a")
    three.seconds(1)
    assert "a" not in three.decides()
    three.seconds(10)
    assert three.decides() == {"a"}
    assert seen(three) == {SERVER}
    assert len(three.views()) == 1
    check_monotone(three)


def test_one_that_stood_still_has_no_say_from_before() -> None:
    three = observers()
    three.seconds(10)
    three.stop("a")
    three.failing[SERVER] = Outcome.TIMEOUT
    three.seconds(20)
    assert seen(three) == {SERVER}
    three.resume("a")
    for _second in range(12):
        three.seconds(1)
        assert seen(three) == {SERVER}
    assert three.decides() == {"a"}
    check_monotone(three)


@pytest.mark.parametrize("ahead_s", [{"a": 5.0}, {"b": 5.0, "c": -5.0}, {"a": -5.0, "b": 5.0}])
def test_clocks_that_differ_change_nothing(ahead_s: dict[str, float]) -> None:
    right, wrong = observers(), observers(ahead_s=ahead_s)
    for three in (right, wrong):
        three.seconds(10)
        three.failing[SERVER] = Outcome.TIMEOUT
        three.seconds(10)
        three.kill("a")
        three.seconds(20)
        three.failing.clear()
        three.restart("a")
        three.seconds(30)
        check_monotone(three)
    memories = [three["a"].deciding.known().states for three in (right, wrong)]
    assert memories[0] == memories[1]


def test_a_clock_that_is_an_hour_ahead_is_told_of() -> None:
    three = observers(ahead_s={"c": 3600.0})
    three.seconds(10)
    told = [one.text for one in three["c"].deciding.alarms if one.kind is AlarmKind.CLOCKS_DIFFER]
    assert len(told) == 1
    assert "a's is 3600 s behind" in told[0]
    near = observers(ahead_s={"c": 5.0})
    near.seconds(10)
    assert not near["c"].deciding.alarms


def test_a_clock_that_is_an_hour_ahead_is_not_followed() -> None:
    three = observers(ahead_s={"a": 3600.0})
    three.seconds(10)
    assert three["b"].deciding.decides == "b"
    assert three["c"].deciding.decides == "b"
    three.failing[SERVER] = Outcome.REFUSED
    three.seconds(3)
    assert failed(three["b"].published[-1]) == {SERVER}


@pytest.mark.parametrize("behind_s", [45.0, 600.0])
def test_a_clock_that_is_far_behind_keeps_no_view_from_coming(behind_s: float) -> None:
    three = observers(ahead_s={"a": -behind_s})
    three.seconds(10)
    three.failing[SERVER] = Outcome.REFUSED
    three.seconds(40)
    assert three["b"].deciding.decides == three["c"].deciding.decides == "b"
    newest = three["b"].published[-1]
    assert failed(newest) == {SERVER}
    assert newest.made_at > START + three.now_s - 31


def test_a_clock_that_was_an_hour_ahead_and_is_set_right_keeps_nobody_out() -> None:
    one = observers(names=("a",))
    one.seconds(3)
    one["a"].ahead_s = 3600.0
    one.failing[SERVER] = Outcome.REFUSED
    one.seconds(3)
    one["a"].ahead_s = 0.0
    one.seconds(1)
    newest = one["a"].published[-1]
    assert newest.made_at == START + one.now_s
    assert newest.version == len(one["a"].published)
    assert failed(newest) == {SERVER}


def test_views_of_an_observer_that_says_it_is_ahead_do_not_pull_ours_ahead() -> None:
    three = observers()
    three.seconds(10)
    three.kill("c")
    document = three["a"].received["c"].document
    for _second in range(20):
        lie = replace(document, made_at=START + three.now_s + 59.9, view=2**53)
        for name in ("a", "b"):
            three[name].received["c"] = Received(lie, three.now_s)
        three.seconds(1)
        newest = three["a"].published[-1]
        assert newest.made_at <= START + three.now_s + 30.1


def test_one_that_was_suspended_with_its_machine_hears_the_others_first() -> None:
    three = observers()
    three.seconds(10)
    three["a"].ahead_s = -30.0  # no clock of it ran; then the one on the wall is set
    three.seconds(1)
    three["a"].ahead_s = 0.0
    three.seconds(1)
    assert three["a"].deciding.decides != "a"
    three.seconds(5)
    assert three.decides() == {"a"}


def test_one_that_forgot_the_others_hears_them_first() -> None:
    three = observers(names=("a", "b"))
    three.seconds(10)
    three.stop("a")
    three["b"].received.clear()
    three["b"].deciding.hear_first(Moment(three.now_s, START + three.now_s))
    before = len(three["b"].published)
    three.seconds(1)
    assert three["b"].deciding.decides is None
    assert len(three["b"].published) == before


def test_one_that_is_cut_off_takes_nothing_out() -> None:
    three = observers()
    three.seconds(10)
    three.partition("a", "bc")
    three["a"].blind = True
    three.seconds(20)
    assert failed(three["a"].published[-1]) == set()
    assert three["b"].deciding.decides == "b"
    three.failing[SERVER] = Outcome.REFUSED
    three.seconds(3)
    assert failed(three["b"].published[-1]) == {SERVER}
    three["a"].blind = False
    three.cut.clear()
    three.seconds(10)
    assert three.decides() == {"a"}
    assert seen(three) == {SERVER}
    assert len(three.views()) == 1
    check_monotone(three)


def test_one_that_is_cut_off_brings_nothing_back_that_others_took_out() -> None:
    three = observers()
    three.seconds(10)
    three.partition("ab", "c")
    three.seconds(5)
    three.failing[SERVER] = Outcome.REFUSED
    three.seconds(3)
    for _second in range(300):
        three.seconds(1)
        assert three.nodes.view is not None
        assert failed(three.nodes.view) == {SERVER}
    assert AlarmKind.ASIDE in {one.kind for one in three["c"].deciding.alarms}
    three.cut.clear()
    three.seconds(10)
    assert three["c"].deciding.alarms == ()
    assert len(three.views()) == 1
    check_monotone(three)


def test_one_that_is_left_alone_publishes_after_a_while() -> None:
    three = observers()
    three.seconds(10)
    three.kill("a")
    three.kill("b")
    three.seconds(10)
    three["c"].orders = wish_server(
        three["c"].orders, SERVER, Wish.WITHDRAWN, now=START, observer="c"
    )
    three.seconds(3)
    assert three.nodes.view is not None
    assert failed(three.nodes.view) == {SERVER}
    made_at = three.nodes.view.made_at
    three.seconds(200)
    assert three.nodes.view.made_at > made_at + 100.0
    assert three["c"].deciding.alarms == ()


def test_views_follow_each_other_over_a_partition_though_clocks_differ() -> None:
    three = observers(ahead_s={"b": 5.0})
    three.seconds(10)
    three.partition("a", "bc")
    three.seconds(10)
    three.failing[SERVER] = Outcome.REFUSED
    three.seconds(3)
    assert failed(three["a"].published[-1]) == set()
    three.cut.clear()
    for _second in range(6):
        three.seconds(1)
        assert SERVER in failed(three["b"].published[-1])
    assert three.decides() == {"a"}
    assert len(three.views()) == 1
    check_monotone(three)


def test_one_that_sees_everything_fail_removes_nobody() -> None:
    three = observers()
    three.seconds(10)
    three["a"].blind = True
    three.seconds(20)
    assert seen(three) == set()


def test_all_killed_and_started_again_continue() -> None:
    three = observers()
    three.seconds(10)
    three.failing[SERVER] = Outcome.TIMEOUT
    three.seconds(5)
    before = three["a"].published[-1]
    for name in three.names:
        three.kill(name)
    three.seconds(30)
    for name in three.names:
        three.restart(name)
    three.seconds(1)
    assert three.views() == {three["a"].kept.view}  # type: ignore[union-attr]
    three.seconds(10)
    assert failed(three["a"].published[-1]) == failed(before) == {SERVER}
    assert three["a"].published[-1].version >= before.version
    check_monotone(three)


def test_what_was_kept_and_lost_is_told_by_the_others() -> None:
    three = observers()
    three.seconds(10)
    three.failing[SERVER] = Outcome.TIMEOUT
    three.seconds(5)
    three.kill("a")
    three.seconds(1)
    three.restart("a", with_state=False)
    for _second in range(10):
        three.seconds(1)
        assert seen(three) == {SERVER}
    check_monotone(three)


def test_an_order_given_to_any_of_them_holds_for_all() -> None:
    three = observers()
    three.seconds(10)
    three["c"].orders = freeze(three["c"].orders, True, reason="a test")
    three.seconds(2)
    assert all(one.orders.frozen for one in three.members.values())


def test_a_view_is_renewed_so_that_it_does_not_age() -> None:
    three = observers()
    three.seconds(100)
    made = [view.made_at for view in three["c"].published]
    assert max(later - earlier for earlier, later in pairwise(made)) <= 31


def test_a_change_is_told_as_an_event_to_all() -> None:
    three = observers()
    three.seconds(10)
    three.failing[SERVER] = Outcome.REFUSED
    three.seconds(3)
    assert any(SERVER.encode() in event for event in three["a"].events)
