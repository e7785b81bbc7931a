"""What commits leave to be evicted goes between the turns of clients, and the sweep's is left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from headrace.edge import trimming
from headrace.edge.trimming import Trimming
from headrace.store import StoreError
from tests.unit.store.samples import a_store


def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[bool | Exception]
) -> tuple[int, int, list[Exception]]:
    """Begin twice; return how many batches there were, how often clients had their turn between
    two of them, and what was in the way.
    """
    turns = 0
    at: list[int] = []
    troubles: list[Exception] = []

    def trim(_store: Any) -> bool:
        at.append(turns)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(trimming, "trim", trim)
    monkeypatch.setattr(trimming, "PAUSE_S", 0.0)

    async def go() -> None:
        nonlocal turns
        with a_store(tmp_path) as store:
            one = Trimming(asyncio.get_running_loop(), store, troubles.append)
            one.begin()
            one.begin()
            for _ in range(500):
                turns += 1
                await asyncio.sleep(0)
            one.stop()

    asyncio.run(go())
    return len(at), len(set(at)), troubles


def test_a_batch_has_its_own_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path, monkeypatch, [True, True, False]) == (3, 3, [])


def test_it_does_not_go_on_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches, turns, _troubles = run(tmp_path, monkeypatch, [True] * 1000)
    assert batches == turns == trimming.MOST_BATCHES


def test_trouble_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = StoreError("the index failed")
    assert run(tmp_path, monkeypatch, [True, error]) == (2, 2, [error])
