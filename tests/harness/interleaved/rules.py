"""What has to hold in every order of events, after each move and at the end."""

from __future__ import annotations

import re

from tests.harness.interleaved.origin import FRESH_S, Asked
from tests.harness.interleaved.record import PlayedClient, Record
from tests.harness.interleaving import Broken
from tests.harness.memory_exchange import MemoryExchange


def check_moment(scene: Record) -> None:
    """Check what must hold at any moment."""
    story = scene.story
    if len(scene.asked) > story.most_asked:
        raise Broken("requests to origins are bounded", _asked(scene))
    if story.collapses:
        running = [
            (each.path, each.heard.fields.get("range", ""))
            for each in scene.asked
            if each.under_way
        ]
        if len(set(running)) < len(running):
            raise Broken("a slice is asked for once at a time", _asked(scene))
    for worker in scene.workers:
        faults = worker.loop.faults + worker.tasks.faults
        if faults and worker.alive:
            raise Broken("no task fails", faults[0])


def check_end(scene: Record) -> None:
    """Check what must hold when nothing runs any more."""
    check_moment(scene)
    got: dict[int, list[str]] = {}
    for played in scene.clients:
        if played.exchange is not None:
            asked = _check_answer(scene, played, played.exchange)
            if asked is not None:
                got.setdefault(asked.number, []).append(played.client.name)
    for number, names in got.items():
        if not scene.asked[number].shared and len(names) > 1:
            raise Broken("what is private reaches one client", f"answer {number}: {names}")
    for worker in scene.workers:
        if worker.alive and (left := worker.leftovers()):
            raise Broken("nothing is left", f"worker {worker.number}: {left}")
    if parts := scene.ground.parts_left(any_holder=not scene.were_killed):
        raise Broken("nothing is left", f"parts {parts}")
    if not scene.were_spoiled and (problem := scene.ground.problem()):
        raise Broken("index and files agree", problem)


def _asked(scene: Record) -> str:
    return ", ".join(
        f"{each.number}: {each.heard.line} {each.heard.fields.get('range', '')}"
        for each in scene.asked
    )


def _check_answer(scene: Record, played: PlayedClient, exchange: MemoryExchange) -> Asked | None:
    """Check one client's answer; returns the origin's answer that it is made of."""
    name, status = played.client.name, exchange.status
    said = f"{name} got {status} ({exchange.outcome or 'nothing'}), {len(exchange.body)} bytes"
    whole = exchange.outcome == "complete"
    if not exchange.head_read:
        if whole or (not played.is_gone and not scene.story.may_fail):
            raise Broken("every client gets an answer", said)
        return None
    number = exchange.fields.get("x-answer")
    if number is None:
        if status < 400:
            raise Broken("an answer is an origin's, or an error", said)
        if not scene.story.may_fail:
            raise Broken("no error without a cause", f"{said}: {exchange.body[-120:]!r}")
        return None
    if not whole and not played.is_gone and not scene.story.may_fail:
        raise Broken("no answer is cut without a cause", said)
    asked = scene.asked[int(number)]
    _check_bytes(exchange, asked, said, whole=whole)
    _check_right_to(scene, played, asked, said)
    return asked


def _check_bytes(exchange: MemoryExchange, asked: Asked, said: str, *, whole: bool) -> None:
    status, expected = exchange.status, asked.whole
    if asked.etag and exchange.fields.get("etag") != asked.etag:
        raise Broken("an answer is of one representation", f"{said} with another ETag")
    if status == 206:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", exchange.fields["content-range"])
        assert found is not None
        if int(found[3]) != len(expected):
            raise Broken("an answer is of one representation", f"{said} of {found[0]}")
        expected = expected[int(found[1]) : int(found[2]) + 1]
    elif status in (304, 412) or exchange.head_only:
        expected = b""
    if whole and exchange.body != expected:
        raise Broken("a whole body is right", f"{said} of {len(expected)}")
    if not expected.startswith(exchange.body):
        raise Broken("the beginning of a body is right", f"{said} of {len(expected)}")


def _check_right_to(scene: Record, played: PlayedClient, asked: Asked, said: str) -> None:
    """Check that this client might be given this answer."""
    for purge in scene.purges:
        if purge.path in ("", asked.path) and asked.at < purge.at < played.at:
            raise Broken(
                "what was purged is not served",
                f"{said}, asked for at {played.at}, purged at {purge.at}, of {asked.at}",
            )
    own = [line for line in played.client.fields if line.startswith("Authorization: ")]
    theirs = asked.heard.fields.get("authorization")
    if theirs is not None and f"Authorization: {theirs}" not in own:
        raise Broken("what is private reaches one client", f"{said} for {theirs}")
    age_s = played.asked_s - asked.answered_s
    if age_s > FRESH_S and not scene.story.stale:
        raise Broken("what is served is fresh", f"{said} after {age_s} s")
