"""What came in one turn: stored together, and what one cannot have is no other's loss."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from headrace.cache.record import StoredResponse
from headrace.edge.fill.together import Arrived, Together
from headrace.store import Busy, Claim, Store

RECORD = cast(StoredResponse, object())
CLAIM = cast(Claim, object())


class Answer:
    """An answer that notes that it was sent."""

    claim: Claim | None = CLAIM

    def __init__(self, name: bytes, sent: list[bytes]) -> None:
        self.name = name
        self.arrived = RECORD, b"body of " + name
        self._sent = sent

    def send(self) -> None:
        self._sent.append(self.name)


class Part:
    """A part that notes what was stored by it."""

    def __init__(self, stored: list[bytes]) -> None:
        self._stored = stored
        self._body = b""

    def hold(self, _stored: StoredResponse, body: memoryview) -> None:
        self._body = bytes(body)

    def finish(self, _stored: StoredResponse, _length: int) -> None:
        self._stored.append(self._body)

    def close(self) -> None:
        pass


class StoreOfParts:
    """A store that takes those `alone` by parts of their own, and fails for those `failing`."""

    def __init__(self, alone: Sequence[bytes], failing: Sequence[bytes] = ()) -> None:
        self.stored: list[bytes] = []
        self._alone = alone
        self._failing = failing

    def store_together(self, small: Sequence[tuple[StoredResponse, bytes]]) -> list[bool]:
        done = [body.removeprefix(b"body of ") not in self._alone for _record, body in small]
        self.stored += [body for (_record, body), one in zip(small, done, strict=True) if one]
        return done

    def begin_part(self, name: bytes, _n: int, _claim: Claim | None) -> Part | Busy:
        if name in self._failing:
            raise OSError(f"no room for {name!r}")
        return Part(self.stored)


def flushed(store: StoreOfParts, names: Sequence[bytes]) -> tuple[list[bytes], list[str]]:
    """Have these arrive in one turn; return which were sent, and what trouble there was."""
    sent: list[bytes] = []
    trouble: list[str] = []

    async def turn() -> None:
        loop = asyncio.get_running_loop()
        together = Together(loop, cast(Store, store), lambda error: trouble.append(str(error)))
        for name in names:
            together.add(cast(Arrived, Answer(name, sent)))
        assert sent == []
        await asyncio.sleep(0)

    asyncio.run(turn())
    return sent, trouble


def test_what_came_together_is_stored_and_sent() -> None:
    store = StoreOfParts(alone=[b"two"])
    assert flushed(store, [b"one", b"two", b"three"]) == ([b"one", b"two", b"three"], [])
    assert sorted(store.stored) == [b"body of one", b"body of three", b"body of two"]


def test_one_that_cannot_be_stored_leaves_room_for_those_behind_it() -> None:
    store = StoreOfParts(alone=[b"one", b"two", b"three"], failing=[b"one"])
    sent, trouble = flushed(store, [b"one", b"two", b"three"])
    assert sent == [b"one", b"two", b"three"]
    assert trouble == ["no room for b'one'"]
    assert store.stored == [b"body of two", b"body of three"]
