"""Readiness is looked at once for all who ask at the same time, and again after a second."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.node.readiness import HOLDS_S, Readiness, problem_of
from tests.harness.virtual_time import run_virtually


def test_a_look_is_shared_and_holds_for_a_while() -> None:
    looks: list[float] = []

    async def check() -> str | None:
        looks.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.5)
        return f"problem {len(looks)}"

    async def ask() -> None:
        readiness = Readiness(check)
        many = await asyncio.gather(*(readiness.problem() for _ in range(100)))
        assert set(many) == {"problem 1"}
        await asyncio.sleep(HOLDS_S / 2)
        assert await readiness.problem() == "problem 1"
        await asyncio.sleep(HOLDS_S)
        assert await readiness.problem() == "problem 2"

    run_virtually(ask())
    assert len(looks) == 2


@pytest.mark.parametrize(
    ("descriptors", "problem"), [(2**62, ""), (0, "it has no descriptor left for another client")]
)
def test_a_worker_that_accepts_no_one_is_not_ready(descriptors: int, problem: str) -> None:
    limits = SimpleNamespace(connections=10, descriptors=descriptors)
    server: Any = SimpleNamespace(listeners=["one"], connections=[], limits=limits)
    found = problem_of(server)
    assert found.startswith(problem)
    assert bool(found) is bool(problem)
