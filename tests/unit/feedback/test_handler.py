"""What a feedback process answers over HTTP: to whom, when, and signed for whose question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from headrace.feedback.exchange.document import VERSION, Document, decode_document
from headrace.feedback.exchange.telling import TOLD_LATELY, Telling
from headrace.feedback.handler import FeedbackHandler
from headrace.feedback.publish.published import Published
from headrace.feedback.publish.waiting import Waiting
from headrace.node.network.signed import answers, ask_value, new_nonce
from headrace.telemetry.metrics import WorkerMetrics
from headrace.topology.view import View
from tests.harness.memory_exchange import MemoryClient

SECRET = (b"s" * 32,)
OLD, NEW = Published.of(View(1, 100.0)), Published.of(View(2, 200.0))


class Asked:
    """A handler in memory, and whoever asks it."""

    def __init__(
        self, secrets: tuple[bytes, ...] = SECRET, observers: tuple[bytes, ...] = SECRET
    ) -> None:
        self.waiting, self.telling = Waiting(secrets), Telling(observers)
        self.handler = FeedbackHandler(WorkerMetrics(), self.waiting, self.telling)

    def ask(self, target: str, *, secret: bytes | None = SECRET[0], method: str = "GET") -> Any:
        """Ask, with a proof that one knows the secret."""
        self.nonce = new_nonce()
        proof = (
            ""
            if secret is None
            else f"Headrace-Ask: {ask_value((secret,), target, self.nonce)}\r\n"
        )
        head = f"{method} {target} HTTP/1.1\r\nHost: h\r\n{proof}\r\n"
        client = MemoryClient(self.handler, asyncio.get_running_loop())
        return client.ask(head.encode())

    def is_signed(self, found: Any, target: str) -> bool:
        """Return whether the answer is signed for the last question."""
        said = found.fields["headrace-answer"]
        return answers(SECRET, target, self.nonce, said, found.body)


def run(test: Callable[[Asked], Coroutine[Any, Any, None]]) -> None:
    async def made() -> None:
        await test(Asked())

    asyncio.run(made())


def test_whoever_has_an_older_view_gets_the_newest_at_once() -> None:
    async def test(asked: Asked) -> None:
        asked.waiting.publish(NEW, 0.0)
        for after in ("0,0", "100.0,1"):
            target = f"/v1/view?after={after}"
            found = asked.ask(target)
            assert (found.status, found.body) == (200, NEW.data)
            assert asked.is_signed(found, target)

    run(test)


def test_whoever_has_the_newest_waits_for_the_next() -> None:
    async def test(asked: Asked) -> None:
        asked.waiting.publish(OLD, 0.0)
        found = asked.ask("/v1/view?after=100.0,1")
        assert (found.status, len(asked.waiting)) == (0, 1)
        asked.waiting.publish(NEW, 0.0)
        assert (found.status, found.body, len(asked.waiting)) == (200, NEW.data, 0)

    run(test)


def test_an_older_view_answers_nobody() -> None:
    async def test(asked: Asked) -> None:
        found = asked.ask("/v1/view?after=150.0,1")
        asked.waiting.publish(OLD, 0.0)
        assert found.status == 0

    run(test)


def test_draining_keeps_nobody_waiting() -> None:
    async def test(asked: Asked) -> None:
        asked.waiting.publish(NEW, 0.0)
        first = asked.ask("/v1/view?after=200.0,2")
        asked.waiting.drain(0.0, draining=True)
        asked.waiting.give_up_old(0.0)
        second = asked.ask("/v1/view?after=200.0,2")
        assert (first.status, second.status, len(asked.waiting)) == (204, 204, 0)

    run(test)


def test_whoever_leaves_is_forgotten() -> None:
    async def test(asked: Asked) -> None:
        found = asked.ask("/v1/view?after=0,0")
        other = asked.ask("/v1/observer?from=a&after=-1")
        asked.handler.finished(found, "client_gone")
        asked.handler.finished(other, "client_gone")
        assert len(asked.waiting) == 0
        asked.waiting.publish(NEW, 0.0)
        assert found.status == 0

    run(test)


@pytest.mark.parametrize(
    ("target", "secret", "method", "status"),
    [
        ("/v1/view?after=0,0", None, "GET", 401),
        ("/v1/view?after=0,0", b"x" * 32, "GET", 401),
        ("/v1/observer?from=a&after=1", None, "GET", 401),
        ("/v1/observer?from=" + "c" * 65 + "&after=1", SECRET[0], "GET", 403),
        ("/v1/observer?from=c&list=" + "c" * 65 + "&after=1", SECRET[0], "GET", 403),
        ("/v1/observer", SECRET[0], "GET", 403),
        ("/v1/observer?from=%1b]0;mine%07&after=1", SECRET[0], "GET", 403),
        ("/v1/observer?from=a%0ab&after=1", SECRET[0], "GET", 403),
        ("/v1/view?after=nan,1", SECRET[0], "GET", 400),
        ("/v1/view?" + "&".join("a=b" for _ in range(20)), SECRET[0], "GET", 400),
        ("/v1/view?after=0,0", SECRET[0], "POST", 405),
        ("/v1/other", SECRET[0], "GET", 404),
        ("/v1/view?after=" + "1" * 600, SECRET[0], "GET", 404),
    ],
)
def test_what_is_refused(target: str, secret: bytes | None, method: str, status: int) -> None:
    async def test(asked: Asked) -> None:
        asked.waiting.publish(NEW, 0.0)
        assert asked.ask(target, secret=secret, method=method).status == status
        assert len(asked.waiting) == 0

    run(test)


def test_a_strangers_connection_ends_with_its_first_question() -> None:
    """One that asks again and again keeps this process from its probes."""

    async def test() -> None:
        asked = Asked()
        asked.waiting.publish(NEW, 0.0)
        for target in ("/v1/view?after=0,0", "/v1/observer?from=a&after=1", "/"):
            client = MemoryClient(asked.handler, asyncio.get_running_loop())
            await client.ask(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode()).done()
            assert not client.open
        target = "/v1/view?after=0,0"
        proof = ask_value(SECRET, target, new_nonce())
        known = f"GET {target} HTTP/1.1\r\nHost: h\r\nHeadrace-Ask: {proof}\r\n\r\n"
        client = MemoryClient(asked.handler, asyncio.get_running_loop())
        await client.ask(known.encode()).done()
        assert client.open

    asyncio.run(test())


def test_without_a_secret_nobody_is_told_anything() -> None:
    async def test() -> None:
        asked = Asked(secrets=())
        asked.waiting.publish(NEW, 0.0)
        assert asked.ask("/v1/view?after=0,0").status == 401

    asyncio.run(test())


def test_an_observer_is_told_what_it_does_not_know_and_nothing_twice() -> None:
    async def test(asked: Asked) -> None:
        first = asked.ask("/v1/observer?from=b&after=-1")
        assert first.status == 0
        asked.telling.tell(_document(1), 0.0)
        assert decode_document(first.body, "a").number == 1
        second = asked.ask("/v1/observer?from=b&after=1")
        assert second.status == 0
        asked.telling.tell(_document(2), 0.0)
        assert decode_document(second.body, "a").number == 2
        target = "/v1/observer?from=b&after=1"
        late = asked.ask(target)
        assert decode_document(late.body, "a").number == 2
        assert asked.is_signed(late, target)

    run(test)


def test_who_asks_is_known_with_its_list_also_when_it_is_in_none_of_ours() -> None:
    async def test(asked: Asked) -> None:
        asked.telling.tell(_document(1), 0.0)
        assert asked.ask("/v1/observer?from=c&list=1234&after=1").status == 0
        for number in range(200):
            asked.ask(f"/v1/observer?from=x{number}&list=1&after=1")
        assert len(asked.telling.askers.since(0.0)) == 1
        asked.ask("/v1/observer?from=c&list=5678&after=1")
        assert asked.telling.askers.since(0.0)["c"].digest == "5678"
        assert asked.telling.askers.since(1e12) == {}
        asked.ask("/v1/observer?from=d&list=1&after=1", secret=b"x" * 32)
        assert "d" not in asked.telling.askers.since(0.0)

    run(test)


def test_a_question_that_was_overheard_has_no_vote_later() -> None:
    async def test(asked: Asked) -> None:
        def votes() -> bool:
            return bool(asked.telling.askers.since(0.0))

        for number in range(1, 1 + TOLD_LATELY):
            asked.telling.tell(_document(number), 0.0)
        for after in (-1, 0, TOLD_LATELY + 1):
            asked.ask(f"/v1/observer?from=c&list=1&after={after}")
            assert not votes()
        asked.telling.tell(_document(TOLD_LATELY + 1), 0.0)
        asked.ask("/v1/observer?from=c&list=1&after=1")
        assert not votes()
        asked.ask("/v1/observer?from=c&list=1&after=2")
        assert votes()

    run(test)


def _document(number: int) -> Document:
    return Document(version=VERSION, observer="a", number=number, awake=True, hears=["a"])


def test_nodes_and_observers_are_known_by_secrets_of_their_own() -> None:
    async def test() -> None:
        observers = (b"o" * 32, b"p" * 32)
        asked = Asked(observers=observers)
        asked.waiting.publish(NEW, 0.0)
        asked.telling.tell(_document(1), 0.0)
        target = "/v1/observer?from=b&list=12&after=-1"
        refused = asked.ask(target)  # a node's
        assert refused.status == 401
        assert asked.telling.askers.since(0.0) == {}  # and it has no vote
        assert asked.ask("/v1/view?after=0,0", secret=observers[0]).status == 401
        assert asked.ask("/v1/view?after=0,0").status == 200
        for secret in observers:
            found = asked.ask(target, secret=secret)
            assert found.status == 200
            said = found.fields["headrace-answer"]
            assert answers(observers[:1], target, asked.nonce, said, found.body)
            assert not answers(SECRET, target, asked.nonce, said, found.body)

    asyncio.run(test())
