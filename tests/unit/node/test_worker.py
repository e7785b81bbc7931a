"""A worker's dialogue with its supervisor, whatever its role: every order of messages ends well."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from headrace.config.server import Listener
from headrace.errors import HeadraceError
from headrace.http.server.context import ServerContext
from headrace.node.listeners import reserve
from headrace.node.messages import (
    Abandon,
    Binding,
    Check,
    Checked,
    Commit,
    Committed,
    Configure,
    Drain,
    Drained,
    Fatal,
    GetStats,
    Message,
    Prepare,
    Prepared,
    Ready,
    Refused,
    RoleAnswer,
    RoleNotice,
    RoleQuestion,
    Stats,
    Stop,
    Undrain,
)
from headrace.node.role import Change
from headrace.node.worker import WorkerLoop
from tests.harness.toy_role import ToyConfig, ToyWorker


@pytest.fixture(autouse=True)
def _the_tests_own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this process's standard error alone."""
    monkeypatch.setattr("headrace.node.worker.configure_logging", lambda *_, **__: None)


class Question(msgspec.Struct):
    word: str


class Told(ToyWorker):
    """A toy that notes what is done with it, and refuses the greeting "no"."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def open(self, config: ToyConfig, loop: asyncio.AbstractEventLoop) -> ToyWorker:
        self._check(config)
        super().open(config, loop)
        return self

    def prepare(self, config: ToyConfig) -> Change:
        self._check(config)
        self.noted.append(f"prepare {config.greeting}")
        return Noted(self, config)

    def drain(self, *, draining: bool) -> None:
        self.noted.append("drain" if draining else "undrain")

    def problem(self) -> str:
        return "out of sorts"

    def answer(self, question: msgspec.Raw, server: ServerContext) -> msgspec.Struct | None:
        asked = msgspec.json.decode(question, type=Question)
        self.noted.append(asked.word)
        return Question(asked.word.upper())

    @staticmethod
    def _check(config: ToyConfig) -> None:
        if config.greeting == "no":
            raise HeadraceError("too curt")


class Noted:
    """A change that notes what becomes of it."""

    def __init__(self, worker: Told, config: ToyConfig) -> None:
        self._worker, self._config = worker, config

    def commit(self) -> None:
        self._worker.noted.append(f"commit {self._config.greeting}")
        self._worker.config = self._config

    def abandon(self) -> None:
        self._worker.noted.append(f"abandon {self._config.greeting}")


class Channel:
    """Keeps what the worker says."""

    def __init__(self) -> None:
        self.said: list[Message] = []

    def send(self, message: Message, _descriptors: Sequence[int] = ()) -> None:
        self.said.append(message)

    def last(self) -> Message:
        return self.said[-1]


class Dialogue:
    """A worker, and what its supervisor would say."""

    def __init__(self) -> None:
        self.role = Told()
        self.loop: WorkerLoop[ToyConfig] = WorkerLoop(self.role, asyncio.get_running_loop())
        self.channel = Channel()
        self.loop.channel = cast(Any, self.channel)
        self.held = reserve(Listener(address="127.0.0.1:0"))

    def say(self, message: Message) -> Message:
        """Say it; return the worker's last word."""
        self.loop.received(message, [])
        return self.channel.last()

    def start(self, greeting: str = "hello") -> Message:
        return self.say(Configure(3, 1, config(greeting), [self.held.binding]))

    def prepare(self, version: int, greeting: str, *more: Binding) -> Message:
        return self.say(Prepare(version, config(greeting), [self.held.binding, *more]))

    async def end(self) -> None:
        self.say(Stop(0.0))
        await self.loop.done.wait()
        self.held.release()


def config(greeting: str) -> str:
    listeners = [{"address": "127.0.0.1:0"}]
    return json.dumps({"greeting": greeting, "directory": "/tmp", "listeners": listeners})


def talk(part: Callable[[Dialogue], Awaitable[None] | None]) -> Dialogue:
    """Play one dialogue on a loop of its own, to the worker's end."""

    async def play() -> Dialogue:
        dialogue = Dialogue()
        played = part(dialogue)
        if played is not None:
            await played
        await dialogue.end()
        return dialogue

    return asyncio.run(play())


def test_it_listens_and_says_so() -> None:
    def part(told: Dialogue) -> None:
        name = told.held.binding.name
        assert told.start() == Ready(os.getpid(), [name])
        assert told.say(Check(1)) == Checked(1, "out of sorts")

    assert isinstance(talk(part).channel.last(), Drained)


def test_a_role_that_cannot_open_ends_the_worker() -> None:
    def part(told: Dialogue) -> None:
        assert told.start("no") == Fatal("too curt")
        assert told.say(Drain()) == Fatal("too curt")

    assert talk(part).loop.exit_code == 1


def test_a_change_is_adopted_when_it_is_committed() -> None:
    def part(told: Dialogue) -> None:
        told.start()
        assert told.prepare(2, "good day") == Prepared(2)
        assert told.role.config.greeting == "hello"
        assert told.say(Commit(2)) == Committed(2)
        assert told.role.config.greeting == "good day"

    assert talk(part).role.noted == ["prepare good day", "commit good day", "drain"]


@pytest.mark.parametrize("then", [Abandon(2), Prepare(3, config("bye"), [])])
def test_a_change_that_does_not_come_to_be_is_abandoned(then: Message) -> None:
    def part(told: Dialogue) -> None:
        told.start()
        told.prepare(2, "good day")
        told.say(then)
        said = len(told.channel.said)
        told.say(Commit(2))
        assert len(told.channel.said) == said
        assert told.role.config.greeting == "hello"

    assert talk(part).role.noted[:2] == ["prepare good day", "abandon good day"]


def test_a_change_that_a_stop_overtakes_is_abandoned() -> None:
    async def part(told: Dialogue) -> None:
        told.start()
        told.prepare(2, "good day")
        told.say(Stop(0.0))
        told.say(Commit(2))
        assert told.prepare(3, "bye") == Refused(3, "the worker stops")
        await told.loop.done.wait()

    assert talk(part).role.noted == ["prepare good day", "abandon good day", "drain"]


def test_what_a_role_refuses_changes_nothing() -> None:
    def part(told: Dialogue) -> None:
        told.start()
        assert told.prepare(2, "no") == Refused(2, "too curt")
        assert told.say(GetStats(7)) == Stats(7, told.role.snapshot())

    assert talk(part).role.noted == ["drain"]


def test_a_listener_that_cannot_be_opened_abandons_the_roles_change() -> None:
    def part(told: Dialogue) -> None:
        told.start()
        elsewhere = Binding("192.0.2.1:1", "192.0.2.1", 1)
        refused = told.prepare(2, "good day", elsewhere)
        assert isinstance(refused, Refused)
        assert "192.0.2.1:1" in refused.problem

    assert talk(part).role.noted == ["prepare good day", "abandon good day", "drain"]


def test_listeners_follow_the_configuration() -> None:
    def part(told: Dialogue) -> None:
        told.start()
        second = reserve(Listener(address="127.0.0.1:0"))
        told.prepare(2, "two", second.binding)
        told.say(Commit(2))
        server = told.loop.server
        assert server is not None
        names = {told.held.binding.name, second.binding.name}
        assert {listener.address for listener in server.listeners} == names
        told.prepare(3, "one")
        told.say(Commit(3))
        assert [listener.address for listener in server.listeners] == [told.held.binding.name]
        second.release()

    talk(part)


def test_draining_reaches_the_role_and_the_server() -> None:
    def part(told: Dialogue) -> None:
        told.start()
        server = told.loop.server
        assert server is not None
        told.say(Drain())
        assert server.closing
        told.say(Undrain())
        assert not server.closing

    assert talk(part).role.noted == ["drain", "undrain", "drain"]


def test_a_roles_questions_are_passed_on_and_answered() -> None:
    def part(told: Dialogue) -> None:
        told.start()
        answer = told.say(RoleQuestion(5, msgspec.Raw(b'{"word":"why"}')))
        assert isinstance(answer, RoleAnswer)
        assert (answer.number, bytes(answer.answer)) == (5, b'{"word":"WHY"}')
        said = len(told.channel.said)
        told.say(RoleNotice(msgspec.Raw(b'{"word":"psst"}')))
        told.say(RoleQuestion(6, msgspec.Raw(b'{"no":1}')))
        assert len(told.channel.said) == said

    assert talk(part).role.noted[:2] == ["why", "psst"]


def test_without_its_supervisor_it_ends_in_good_order() -> None:
    async def part(told: Dialogue) -> None:
        told.start()
        told.loop.supervisor_gone()
        await told.loop.done.wait()

    found = talk(part)
    assert isinstance(found.channel.last(), Drained)
    assert found.loop.exit_code == 0


def test_a_toy_needs_a_directory_for_its_state() -> None:
    assert ToyConfig.from_json(config("hello")).state_dir == Path("/tmp")
