"""An observer that tells something new all the time does not take the others' time."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from headrace.config.feedback.observing import ObserverTable
from headrace.feedback.exchange.document import VERSION, Document, encode_document
from headrace.feedback.exchange.others import PAUSE_S, PAUSES_PER_READING, Others
from headrace.node.network.signed_client import NoAnswer, SignedClient

OBSERVERS = [ObserverTable(node_id=name, url=f"http://{name}.example:1") for name in ("a", "b")]
ASKED = 8


class Talkative:
    """Answers each question at once, with another document."""

    def __init__(self) -> None:
        self.asked_at_s: list[float] = []
        self.enough = asyncio.Event()

    async def ask(self, *_question: object) -> bytes:
        self.asked_at_s.append(time.perf_counter())
        if len(self.asked_at_s) == ASKED:
            self.enough.set()
        number = len(self.asked_at_s)
        return encode_document(Document(VERSION, "b", number, awake=True, hears=["a", "b"]))

    async def close(self) -> None:
        pass


async def asked(monkeypatch: pytest.MonkeyPatch, reading_s: float) -> list[float]:
    """Return when a talkative observer was asked, whose documents take so long to read."""
    client = Talkative()
    monkeypatch.setattr(SignedClient, "open", lambda *_: client)
    heard = Others("a", OBSERVERS, lambda: (b"secret",), 1.0, lambda *_: time.sleep(reading_s))
    task = asyncio.create_task(heard.run())
    await client.enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert heard.received["b"].document.number >= ASKED - 1
    return client.asked_at_s


@pytest.mark.parametrize("reading_s", [0.0, 0.04])
def test_between_two_documents_is_a_pause(
    monkeypatch: pytest.MonkeyPatch, reading_s: float
) -> None:
    at_s = asyncio.run(asked(monkeypatch, reading_s))
    least_s = max(PAUSE_S, reading_s * PAUSES_PER_READING)
    assert at_s[-1] - at_s[0] >= 0.9 * (ASKED - 1) * least_s


class Troubled:
    """Gives no answer: refused twice, then another secret, then an answer, then refused."""

    def __init__(self) -> None:
        self.enough = asyncio.Event()
        self._kinds = iter(("unreachable", "unreachable", "secret", "", "unreachable"))

    async def ask(self, *_question: object) -> bytes:
        kind = next(self._kinds, None)
        if kind is None:
            self.enough.set()
            await asyncio.Event().wait()
        if kind:
            raise NoAnswer(kind, f"it is {kind}")
        return encode_document(Document(VERSION, "b", 1, awake=True, hears=["a", "b"]))

    async def close(self) -> None:
        pass


async def _ask_the_troubled(client: Troubled) -> None:
    heard = Others("a", OBSERVERS, lambda: (b"secret",), 0.01, lambda *_: None)
    task = asyncio.create_task(heard.run())
    await client.enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_each_kind_of_trouble_is_logged_once_until_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Troubled()
    monkeypatch.setattr(SignedClient, "open", lambda *_: client)
    with capture_logs() as logged:
        asyncio.run(_ask_the_troubled(client))
    said = [(one["event"], one.get("kind")) for one in logged]
    assert said == [
        ("observer_not_heard", "unreachable"),
        ("observer_not_heard", "secret"),
        ("observer_heard_again", None),
        ("observer_not_heard", "unreachable"),
    ]
