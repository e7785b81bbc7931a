"""When the feedback loop's word that a server failed counts: not where it is of the time at which
the server's line was down, and always where there is another reason for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.bgp.announcement import Family
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View
from headrace.topology.vips import Announce
from headrace.vip.plan.health import HEALTH_RULES, Soundness, Verdict
from headrace.vip.plan.hearing import LATER_S, STANDS_S, UNHEARD, Hearing, counts, next_hearings
from headrace.vip.plan.model import Memory, Plan, Standing, Why
from headrace.vip.plan.order import site_order
from headrace.vip.plan.plan import Known, plan
from headrace.vip.plan.wanted import VIEW_AGE_S
from tests.unit.vip.plan.sites import NOW, SOUND, a_server, a_site, all_sound, names_of

SITE = a_site(map(a_server, names_of(3)), Announce(neighbours=1))
ORDER = site_order(SITE, "north")
BOTH = frozenset(Family)
RENEW_S = 30.0
TURN_S = 1.0


def view(*, failed: bool, at: float) -> View:
    """Return a view that was made then."""
    state = ServerState.FAILED if failed else ServerState.ONLINE
    return View(made_at=at, servers={"n1": ServerView(state)})


@dataclass
class Cut:
    """A server whose line may be down, and a loop that sees it some seconds later. A view reaches
    the server while the line is up. `rubbish`: the loop sees it fail, whatever the line does.
    `notices_s`: the server notices only so long after the line is up again that its session is
    lost, and has another one soon after.
    """

    sees_after_s: float = 6.0
    rubbish: bool = False
    loop_lives: bool = True
    notices_s: float | None = None
    healed_at: float = 0.0
    now: float = NOW
    is_up: bool = True
    memory: Memory | None = None
    plan: Plan = field(default_factory=lambda: Plan("n1"))
    published: View = NO_VIEW
    view: View = NO_VIEW
    verdict: Verdict = SOUND
    _was: list[tuple[float, bool]] = field(default_factory=list)

    @property
    def has_session(self) -> bool:
        """Whether the server takes its session for up."""
        if self.notices_s is None:
            return self.is_up
        lost_at = self.healed_at + self.notices_s
        return not (self.is_up and lost_at <= self.now <= lost_at + 2 * TURN_S)

    def turn(self) -> None:
        """Let a second pass."""
        self.now += TURN_S
        if not self._was or self._was[-1][1] is not self.is_up:
            self._was.append((self.now, self.is_up))
        seen = [up for at, up in self._was if at <= self.now - self.sees_after_s]
        failed = self.rubbish or bool(seen and not seen[-1])
        said = self.published.servers.get("n1", ServerView()).state is ServerState.FAILED
        if self.loop_lives and (failed is not said or self.now - self.published.made_at >= RENEW_S):
            self.published = view(failed=failed, at=self.now)
        if self.is_up:
            self.view = self.published
        known = Known(
            ORDER,
            "n1",
            dict.fromkeys(all_sound(SITE), self.verdict),
            view=self.view,
            view_age_s=self.now - self.view.made_at,
            up=BOTH if self.has_session else frozenset(),
        )
        self.plan, self.memory = plan(known, self.memory, self.now)

    def run(self, seconds: float) -> list[Why]:
        """Return why its own VIPs were announced as they were meanwhile."""
        found = []
        for _turn in range(round(seconds / TURN_S)):
            self.turn()
            found.append(self.plan.vips[0].why)
        return found

    def line(self, *, up: bool) -> None:
        """Cut the line, or heal it."""
        self.is_up = up
        if up:
            self.healed_at = self.now


@given(
    st.floats(0.5, LATER_S - 2 * TURN_S),
    st.floats(1.0, 90.0),
    st.none() | st.floats(0.0, STANDS_S - TURN_S),
)
@settings(max_examples=25, deadline=None)
def test_a_healed_line_has_its_vips_at_once_and_for_good(
    sees_s: float, down_s: float, notices_s: float | None
) -> None:
    server = Cut(sees_after_s=sees_s, notices_s=notices_s)
    assert set(server.run(20.0)) == {Why.OWNER}
    server.line(up=False)
    server.run(down_s)
    server.line(up=True)
    assert set(server.run(120.0)) == {Why.OWNER}


@given(st.lists(st.floats(1.0, 90.0), min_size=1, max_size=5), st.booleans())
@settings(max_examples=15, deadline=None)
def test_a_server_that_the_loop_rightly_sees_fail_leaves_its_vips_to_others(
    cuts: list[float], known_before: bool
) -> None:
    """However often its line was down meanwhile."""
    server = Cut(sees_after_s=3.0, rubbish=known_before)
    server.run(LATER_S + RENEW_S + STANDS_S)
    for down_s in cuts:
        server.line(up=False)
        server.run(down_s)
        server.rubbish = True
        server.line(up=True)
        found = server.run(1.0)
        # It was so before the line was down: it is no other server since.
        assert not known_before or set(found) == {Why.SEEN_FAILED}
    server.run(LATER_S + RENEW_S + STANDS_S)
    assert set(server.run(60.0)) == {Why.SEEN_FAILED}
    assert server.plan.vips[0].standing is Standing.WORSE  # announced: it may be the last
    server.rubbish = False
    server.run(4.0)
    assert set(server.run(30.0)) == {Why.OWNER}


def test_a_line_that_comes_and_goes_brings_no_respite_each_time() -> None:
    server = Cut(sees_after_s=3.0)
    server.run(20.0)
    server.rubbish = True
    found = []
    for _flap in range(10):
        server.line(up=False)
        server.run(4.0)
        server.line(up=True)
        found.append(set(server.run(8.0)))
    assert found[:2] == [{Why.OWNER}] * 2
    assert all(each == {Why.SEEN_FAILED} for each in found[3:])


@given(st.floats(0.0, 100.0), st.floats(0.0, 100.0))
@settings(max_examples=15, deadline=None)
def test_a_loop_that_has_died_keeps_nobody_away_for_long(before_s: float, down_s: float) -> None:
    server = Cut(sees_after_s=1.0, rubbish=True)
    server.run(20.0 + before_s)
    server.loop_lives = False
    server.line(up=False)
    server.run(down_s)
    server.line(up=True)
    server.run(VIEW_AGE_S + TURN_S)
    assert set(server.run(60.0)) == {Why.OWNER}


def test_a_loop_that_died_while_the_line_was_down_keeps_nobody_away_at_all() -> None:
    server = Cut(sees_after_s=2.0)
    server.run(20.0)
    server.line(up=False)
    server.run(4.0)
    server.loop_lives = False
    server.line(up=True)
    assert set(server.run(90.0)) == {Why.OWNER}
    assert server.view.servers["n1"].state is ServerState.FAILED


def test_what_fails_its_own_checks_and_is_mended_is_given_time_as_well() -> None:
    server = Cut(sees_after_s=1.0, rubbish=True)
    server.run(60.0)
    server.verdict = Verdict(Soundness.FAILED)
    server.run(5.0)
    server.rubbish, server.sees_after_s = False, 10.0
    server.verdict = replace(SOUND, for_s=1.0)
    assert server.run(1.0)[-1] is Why.OWNER


def test_a_word_counts_after_a_restart_as_it_did_before() -> None:
    failed = view(failed=True, at=NOW - 1.0)
    known = Known(ORDER, "n1", all_sound(SITE), view=failed, view_age_s=1.0, up=BOTH)
    just_heard, memory = plan(known, None, NOW)
    assert just_heard.vips[0].why is Why.OWNER
    later = plan(replace(known, view_age_s=0.5), memory, NOW + LATER_S + 0.5)[0]
    assert later.vips[0].why is Why.SEEN_FAILED


def test_families_are_heard_apart() -> None:
    known = Known(ORDER, "n1", all_sound(SITE), view=view(failed=True, at=NOW), up={Family.IPV4})
    found, memory = plan(known, None, NOW)
    found, memory = plan(replace(known, up=BOTH), memory, NOW + LATER_S)
    by_family = {one.vip.version: one.why for one in found.vips if one.owner == "n1"}
    assert by_family == {4: Why.SEEN_FAILED, 6: Why.OWNER}


TIMES = st.floats(0.0, 1000.0)


@given(st.lists(st.tuples(st.floats(-50.0, 50.0), st.booleans()), max_size=30), TIMES, TIMES)
def test_whatever_clocks_say_a_hearing_is_bounded(
    steps: list[tuple[float, bool]], sound_s: float, age_s: float
) -> None:
    now, hearing = NOW, UNHEARD
    for by, up in steps:
        now += by
        hearing = next_hearings(
            {Family.IPV4: hearing}, {Family.IPV4} if up else set(), HEALTH_RULES, now, told=up
        )[Family.IPV4]
        assert hearing.up_since is None or hearing.up_since <= now
        assert 0.0 <= hearing.flaps.penalty < 1e5
        if counts(hearing, sound_s, age_s, now):
            assert sound_s - age_s >= LATER_S
            assert counts(hearing, sound_s + 1.0, age_s, now)
            assert counts(None, sound_s, age_s, now)
    assert not counts(Hearing(now - LATER_S, told_since=0.0), LATER_S, 1.0, now)
