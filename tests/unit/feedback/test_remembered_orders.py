"""Orders that only what was decided remembers: the observer knows them, and an operator can end
them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from headrace.feedback.admin.questions import answer_question
from headrace.feedback.orders import NO_ORDERS, freeze
from tests.unit.feedback.test_loop import made


def test_a_freeze_that_only_the_memory_has_is_shown_and_can_be_ended(tmp_path: Path) -> None:
    async def test() -> None:
        loop, slow = made(tmp_path)
        slow.may_end.set()
        frozen = freeze(NO_ORDERS, True, now=900.0, by="ann", observer="b")
        loop.deciding.memory = msgspec.structs.replace(loop.deciding.memory, orders=frozen)
        await loop.tick()
        assert loop.deciding.memory.kept is not None
        assert loop.orders.frozen
        answer_question(loop, msgspec.Raw(b'{"type":"freeze","order":{"frozen":false}}'))
        await loop.tick()
        assert not loop.orders.frozen
        assert loop.deciding.memory.kept is None
        await loop.close()

    asyncio.run(test())
