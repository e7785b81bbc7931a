"""The balance as a part of the controller: modes, freezing, adoption, failed servers."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from headrace.feedback.balance.model import NO_BALANCE
from headrace.feedback.control.memory import decode_memory, encode_memory
from headrace.feedback.observation import NodeReport, Observations
from headrace.feedback.orders import Mode, ModeOrder, Orders, choose_mode, freeze
from headrace.topology.view import ServerState
from tests.unit.feedback.balance.networks import network, told
from tests.unit.feedback.networks import GONE, Loop, observed

NET = network({"c": [["a"], ["b"]], "d": [["b"]]})
BUSY = told(NET, {"a": {("c", "vod"): 55.0}, "b": {("d", "vod"): 20.0}})
CALM = told(NET, {"a": {("c", "vod"): 30.0}, "b": {("d", "vod"): 20.0}})


def seen(reports: dict[str, NodeReport], *gone: str) -> Observations:
    probed = observed(NET, dict.fromkeys(gone, GONE))
    return replace(probed, reports=reports)


def test_a_site_that_is_nearly_full_passes_clients_on() -> None:
    step = Loop(NET, mode=Mode.BOTH).see(seen(BUSY))
    assert step.view.coverage["c"]["b"] == pytest.approx(0.13, abs=0.03)
    assert step.view.by_class == {}
    assert step.explanation.balance is not None
    assert step.explanation.balance.applied


def test_weights_stay_between_intervals_and_so_does_the_explanation() -> None:
    loop = Loop(NET, mode=Mode.BOTH)
    first = loop.see(seen(BUSY))
    second = loop.see(seen(BUSY))
    assert second.view.coverage == first.view.coverage
    assert second.explanation.balance is first.explanation.balance


def test_states_alone_move_nobody() -> None:
    step = Loop(NET, mode=Mode.STATES).see(seen(BUSY), 6)
    assert step.view.coverage == {}
    assert step.memory.balance == NO_BALANCE
    assert step.explanation.balance is None


def test_a_dry_run_says_what_it_would_do() -> None:
    step = Loop(NET, mode=Mode.DRY_RUN).see(seen(BUSY), 6)
    assert step.view.coverage == {}
    assert step.explanation.balance is not None
    assert not step.explanation.balance.applied
    assert [one.coverage for one in step.explanation.balance.moved] == ["c"]


def test_an_operator_chooses_the_mode() -> None:
    loop = Loop(NET, mode=Mode.STATES)
    loop.orders = replace_mode(loop, Mode.BOTH, 1)
    assert loop.see(seen(BUSY), 6).view.coverage
    loop.orders = choose_mode(loop.orders, Mode.STATES)
    assert loop.see(seen(BUSY), 6).view.coverage == {}


def replace_mode(loop: Loop, mode: Mode, sequence: int) -> Orders:
    return msgspec.structs.replace(loop.orders, modes=(ModeOrder(mode, sequence),))


def test_frozen_weights_stay_whatever_is_wanted() -> None:
    loop = Loop(NET, mode=Mode.BOTH)
    weights = loop.see(seen(BUSY), 11).view.coverage
    loop.orders = freeze(loop.orders, True)
    assert loop.see(seen(CALM), 60).view.coverage == weights
    loop.orders = freeze(loop.orders, False)
    assert loop.see(seen(CALM), 60).view.coverage == {}


def test_who_adopts_a_memory_continues_with_the_same_weights() -> None:
    first = Loop(NET, mode=Mode.BOTH)
    first.see(seen(BUSY), 8)
    second = Loop(NET, mode=Mode.BOTH)
    second.memory = decode_memory(encode_memory(first.memory))
    second.now = first.now
    for _second in range(12):
        assert second.see(seen(BUSY)).view == first.see(seen(BUSY)).view
        assert second.memory == first.memory


def test_a_site_that_loses_servers_passes_more_on() -> None:
    loop = Loop(NET, mode=Mode.BOTH)
    before = loop.see(seen(BUSY), 20).view.coverage["c"]
    down = loop.see(seen(BUSY, "a-0", "a-1"), 20).view
    assert {name for name, one in down.servers.items() if one.state is ServerState.FAILED} == {
        "a-0", "a-1"
    }  # fmt: skip
    # 55 Gb/s are wanted as far as the living say; they are to carry 32.
    assert down.coverage["c"]["b"] > before["b"] + 0.05
