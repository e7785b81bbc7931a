"""The table of transitions."""

from __future__ import annotations

import itertools

import pytest

from headrace.feedback.states.model import SERVING, State
from headrace.feedback.states.table import TABLE, Signal


def test_it_says_what_follows_from_every_state_and_signal_and_nothing_else() -> None:
    assert set(TABLE) == set(itertools.product(State, Signal))


@pytest.mark.parametrize("state", State)
def test_operators_win_whatever_the_state_is(state: State) -> None:
    assert TABLE[state, Signal.WITHDRAW] is State.WITHDRAWN
    assert TABLE[state, Signal.DRAIN] is State.DRAINING
    assert TABLE[state, Signal.PIN] is State.ONLINE


@pytest.mark.parametrize("state", State)
def test_nothing_but_a_quorum_takes_a_server_out(state: State) -> None:
    assert TABLE[state, Signal.DOWN] is State.FAILED
    if state in SERVING:
        out = {signal for signal in Signal if TABLE[state, signal] is State.FAILED}
        assert out == {Signal.DOWN}


def test_what_failed_returns_slowly() -> None:
    after = {TABLE[State.FAILED, signal] for signal in Signal if signal is not Signal.PIN}
    assert State.ONLINE not in after


def test_every_state_is_left_when_all_is_well() -> None:
    """Not more than two steps of `up`, then `warm`, lead from each state to online."""
    for state in State:
        after = state
        for signal in (Signal.UP, Signal.UP, Signal.WARM):
            after = TABLE[after, signal]
        assert after is State.ONLINE
