"""The loop keeps observing while it decides, and what was not worked out is not decided."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headrace.config.feedback.model import FeedbackConfig
from headrace.feedback.admin.questions import answer_question
from headrace.feedback.control.controller import Controller, Step
from headrace.feedback.control.memory import NO_MEMORY, encode_memory
from headrace.feedback.deciding import Moment
from headrace.feedback.kept import Decided
from headrace.feedback.loop import FeedbackLoop
from headrace.feedback.observation import Outcome
from headrace.feedback.observe.own_records import OwnRecords
from headrace.feedback.orders import Wish, wish_server, wish_site
from headrace.feedback.publish.published import Published
from headrace.feedback.rules import rules_of
from headrace.feedback.states.model import Alarm, AlarmKind
from headrace.topology.coverage import CoverageTable
from headrace.topology.snapshot import NetworkSnapshot
from tests.unit.feedback.networks import network, observed, probed

NEVER_S = 20.0


class Slow(Controller):
    """Its steps end when they are let."""

    may_end: threading.Event
    ended_in_time = False

    def step(self, *values: Any, **named: Any) -> Step:
        self.ended_in_time = self.may_end.wait(NEVER_S)
        return super().step(*values, **named)


def made(folder: Path) -> tuple[FeedbackLoop, Slow]:
    """Return a loop that has not begun to probe, and its controller."""
    config = FeedbackConfig.model_validate(
        {
            "node_id": "a",
            "listen": [{"address": "127.0.0.1:0"}],
            "state_dir": folder,
            "network": {"file": folder / "network.toml"},
            "probe": [{"host": "h.example", "path": "/x"}],
        }
    )
    topology = network()
    loop = FeedbackLoop(config, ())
    loop.adopt_network(NetworkSnapshot(topology, "v1", CoverageTable(topology)))
    slow = loop.controller = Slow(topology, rules_of(config))
    slow.may_end = threading.Event()
    for server in topology.servers:
        loop.records.note(server.name, Outcome.OK, None, None, loop.now_s())
    loop.deciding.begin(None, Moment(asyncio.get_running_loop().time(), 1000.0))
    loop._begin()
    for task in loop._tasks:
        task.cancel()
    return loop, slow


def test_a_step_does_not_hold_up_what_else_runs(tmp_path: Path) -> None:
    async def test() -> None:
        loop, slow = made(tmp_path)
        asyncio.get_running_loop().call_soon(slow.may_end.set)  # runs during the step, or too late
        await loop.tick()
        assert slow.ended_in_time
        assert loop.deciding.published is not None
        await loop.close()

    asyncio.run(test())


def test_a_step_that_is_cancelled_decides_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        loop, slow = made(tmp_path)
        ticking = asyncio.create_task(loop.tick())
        await asyncio.sleep(0)
        ticking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ticking
        slow.may_end.set()
        assert (loop.deciding.step, loop.deciding.published) == (None, None)
        await loop.tick()
        assert loop.deciding.published is not None
        await loop.close()

    asyncio.run(test())


def test_who_follows_says_why_by_what_is_so_now(tmp_path: Path) -> None:
    def why(loop: FeedbackLoop) -> str:
        answer = answer_question(loop, msgspec.Raw(b'{"type": "why", "name": "s0a0"}')).because
        assert answer is not None
        return "\n".join(answer.lines)

    async def test() -> None:
        loop, slow = made(tmp_path)
        topology, rules = slow.topology, slow.rules
        loop.controller = Controller(topology, rules)
        gone = {"s0a0": probed(*[Outcome.TIMEOUT] * 4)}
        step = Controller(topology, rules).step(NO_MEMORY, observed(topology, gone, "a"), 1e9, 1.0)
        view = Published.of(replace(step.view, version=7, made_at=1e9))
        decided = Decided(1e9, encode_memory(step.memory), view.data)
        loop.deciding.begin(decided, Moment(loop.now_s(), 1e9))
        loop.shadow.step = Controller(topology, rules).step(
            NO_MEMORY, observed(topology, {}, "a"), 1e9, 1.0
        )  # of a moment ago
        loop.records = OwnRecords()
        for server in topology.servers:
            outcome = Outcome.TIMEOUT if server.name == "s0a0" else Outcome.OK
            for _probe in range(4):
                loop.records.note(server.name, outcome, None, None, loop.now_s())
        text = why(loop)
        assert "a quorum (1) takes it for failed" in text
        assert "the view has it failed" in text
        assert "that is by what is known here" not in text
        for _probe in range(9):
            loop.records.note("s0a0", Outcome.OK, 0.1, 0.1, loop.now_s())
        text = why(loop)
        assert "so it is recovering" in text
        assert "whoever decided last has it failed (reasons: timeout)" in text
        assert "the view has it failed" in text

    asyncio.run(test())


def test_why_a_site_is_so_names_the_orders_for_it(tmp_path: Path) -> None:
    async def test() -> None:
        loop, _slow = made(tmp_path)
        loop.give(
            wish_site(
                loop.orders, "s0", Wish.DRAINING, now=time.time(), reason="site work",
                until=time.time() + 600.0, by="ann", observer="a",
            )
        )  # fmt: skip
        answer = answer_question(loop, msgspec.Raw(b'{"type":"why","name":"s0"}')).because
        assert answer is not None
        told = [line for line in answer.lines if line.startswith("order of ann, at a, ")]
        assert len(told) == 1
        assert "s0 draining until " in told[0]
        assert told[0].endswith(": site work")
        await loop.close()

    asyncio.run(test())


def test_an_order_for_what_is_described_no_more_can_be_taken_back(tmp_path: Path) -> None:
    async def test() -> None:
        loop, _slow = made(tmp_path)
        for take, name in ((wish_server, "gone1"), (wish_site, "gone")):
            now = time.time()
            loop.give(take(loop.orders, name, Wish.WITHDRAWN, now=now, observer="a"))
            body = {"name": name, "wish": "none"}
            asked = msgspec.json.encode({"type": "wish", "order": body})
            answer = answer_question(loop, msgspec.Raw(asked))
            assert (answer.trouble, answer.done is None) == (None, False)
        assert not any(one.wants for _kind, _name, one, _all in loop.orders.each())
        unknown = msgspec.json.encode({"type": "wish", "order": {"name": "x", "wish": "none"}})
        assert answer_question(loop, msgspec.Raw(unknown)).trouble is not None
        await loop.close()

    asyncio.run(test())


def test_what_a_site_can_send_is_what_those_that_serve_can(tmp_path: Path) -> None:
    async def test() -> None:
        loop, slow = made(tmp_path)
        slow.may_end.set()
        loop.give(wish_server(loop.orders, "s0a0", Wish.WITHDRAWN, now=time.time(), observer="a"))
        await loop.tick()
        status = answer_question(loop, msgspec.Raw(b'{"type":"status"}')).status
        assert status is not None
        sites = {one.site: one for one in status.sites}
        one_server = slow.topology.servers[0].capacity_bps
        assert (sites["s0"].serving, sites["s0"].capacity_bps) == (3, 3.0 * one_server)
        assert (sites["s1"].serving, sites["s1"].capacity_bps) == (4, 4.0 * one_server)
        await loop.close()

    asyncio.run(test())


class Unused(Controller):
    """Fails when a step is asked for."""

    def step(self, *values: Any, **named: Any) -> Step:
        raise AssertionError("a question works nothing out")


def test_who_follows_answers_questions_from_what_memory_holds(tmp_path: Path) -> None:
    async def test() -> None:
        loop, slow = made(tmp_path)
        topology, rules = slow.topology, slow.rules
        gone = {"s0a0": probed(*[Outcome.TIMEOUT] * 4)}
        step = Controller(topology, rules).step(NO_MEMORY, observed(topology, gone, "a"), 1e9, 1.0)
        alarm = Alarm(AlarmKind.LAST, "all", "a test")
        memory = msgspec.structs.replace(step.memory, alarms=(alarm,))
        loop.deciding.begin(Decided(1e9, encode_memory(memory), b""), Moment(loop.now_s(), 1e9))
        loop.controller = loop._own_controller = Unused(topology, rules)
        for _ in range(2):
            counts = answer_question(loop, msgspec.Raw(b'{"type":"counts"}')).counts
            assert counts is not None
            assert counts.states == {"online": 11, "failed": 1}
            assert counts.alarms == 1
        for asked in (b'{"type":"status"}', b'{"type":"dry_run"}', b'{"type":"why","name":"s0"}'):
            assert answer_question(loop, msgspec.Raw(asked)).trouble is None
        await loop.close()

    asyncio.run(test())
