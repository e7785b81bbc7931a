"""Health checks: what is asked, when, and what becomes of the answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headrace.upstream.health import HealthRule
from headrace.upstream.health_checks import BODY_BYTES, HealthChecks, is_well
from headrace.upstream.pool import Origin
from headrace.upstream.signing import Credentials
from tests.harness.memory_network import (
    Script,
    any_request,
    expect,
    playbook,
    reset,
    serving,
    stall,
)

from .conversation import Scene, conversation, head, sized
from .test_pool import origin

RULE = HealthRule(b"/health", interval_s=10.0, timeout_s=2.0, rise=2, fall=2)


class Heard:
    """Who went up or down."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, str, bool]] = []

    def health_changed(self, service: str, pool: str, origin: str, *, up: bool) -> None:
        self.changes.append((service, pool, origin, up))


@pytest.mark.parametrize(
    ("script", "rule", "well"),
    [
        (serving(b"fine"), RULE, True),
        (serving(b"fine"), replace(RULE, statuses=frozenset((204,))), False),
        (serving(b"all is fine"), replace(RULE, body=b"fine"), True),
        (serving(b"bad"), replace(RULE, body=b"fine"), False),
        (serving(b"x" * BODY_BYTES + b"fine"), replace(RULE, body=b"fine"), False),
        (playbook(any_request, stall), RULE, False),
        (playbook(any_request, reset), RULE, False),
        (playbook(any_request, sized(b"fi", said=4), stall), replace(RULE, body=b"fine"), False),
        (playbook(any_request, head(200), b"fine"), replace(RULE, body=b"fine"), True),
        (playbook(expect("GET /health", "host: a", "user-agent: headrace-health"), sized(b"")),
         RULE, True),
    ],
)  # fmt: skip
def test_an_origin_is_well_if_it_answers_as_it_should_in_time(
    script: Script, rule: HealthRule, well: bool
) -> None:
    async def talk(scene: Scene) -> None:
        scene.network.origin("a", script)
        assert await is_well(scene.client, rule, origin("a"), 0.0) is well

    conversation(talk)


def test_what_may_not_be_signed_is_not_asked() -> None:
    async def talk(scene: Scene) -> None:
        signs: Origin = replace(origin("a"), credentials=Credentials("id", "secret", "eu"))
        rule = replace(RULE, path=b"/bucket/health?acl")
        assert not await is_well(scene.client, rule, signs, 0.0)
        assert scene.network.connects == []

    conversation(talk)


def test_each_origin_is_checked_in_turn_and_goes_down_and_up() -> None:
    async def talk(scene: Scene) -> None:
        bad = playbook(any_request, sized(b"", status=500))
        scene.network.origin("a", bad, bad, bad, serving(b"fine"))
        scene.network.origin("b", serving(b"fine"))
        heard = Heard()
        checks = HealthChecks(
            scene.client, scene.loop, heard, unix_time=lambda: 0.0, chance=lambda: 1.0
        )
        unchecked = scene.pool("c")
        state = scene.pool("a", "b", health=RULE)
        checks.watch({("vod", "p"): state, ("vod", "q"): unchecked})
        await asyncio.sleep(11.5)  # the second check comes after 11 s: the interval and a tenth
        assert heard.changes == [("vod", "p", "a", False)]
        assert [found.health.up for found in state.states] == [False, True]
        await asyncio.sleep(33)
        assert heard.changes[1:] == [("vod", "p", "a", True)]
        checks.watch({})
        count = len(scene.network.requests)
        assert "c" not in scene.network.connects
        await asyncio.sleep(100)
        assert len(scene.network.requests) == count
        checks.stop()

    conversation(talk)
