"""Each transition of the table of steps is taken in a dialogue: none stands there that never is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from headrace.edge.request.steps import NEXT, Step
from headrace.store import StoreError
from headrace.upstream.errors import Failure
from tests.harness.dialogues import Dialogue, in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import any_request, playbook, serving, stall
from tests.harness.walked_steps import Transition
from tests.unit.edge.dialogues.bodies import BRIEF, FILM, FRESH, TAG
from tests.unit.edge.tiering.site import NETWORK, Member, script_name

DIALOGUES: dict[Transition, tuple[Dialogue, dict[str, Any]]] = {}
EVERY = sorted(
    ((step, following) for step in Step for following in NEXT[step]),
    key=lambda transition: (transition[0].value, transition[1].value),
)


def takes(step: Step, *following: Step, **options: Any) -> Callable[[Dialogue], Dialogue]:
    """Note that a dialogue takes these transitions."""

    def note(dialogue: Dialogue) -> Dialogue:
        for each in following:
            DIALOGUES[step, each] = (dialogue, options)
        return dialogue

    return note


@pytest.mark.parametrize(
    "transition", EVERY, ids=[f"{step.value}-{following.value}" for step, following in EVERY]
)
def test_each_transition_is_taken(transition: Transition) -> None:
    assert transition in DIALOGUES, "no dialogue takes it: write one, or remove it from the table"
    dialogue, options = DIALOGUES[transition]
    walked: set[Transition] = set()
    in_memory(walked=walked, **options)(dialogue)()
    assert transition in walked


@takes(Step.RECEIVE, Step.HOT, Step.LOOKUP)
@takes(Step.LOOKUP, Step.FILL)
@takes(Step.FILL, Step.DELIVER)
@takes(Step.DELIVER, Step.DONE)
@takes(Step.HOT, Step.DONE)
async def miss_and_hits(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    for word in ("miss", "hit", "hit"):
        assert (await edge.get("/film")).seen == (200, b"film", word)


@takes(Step.RECEIVE, Step.PASS)
@takes(Step.RECEIVE, Step.SYNTH)
@takes(Step.SYNTH, Step.DONE)
async def post_and_refusal(edge: MemoryEdge) -> None:
    edge.origin(serving(b"ok"))
    assert (await edge.get("/form", method="POST")).seen == (200, b"ok", "pass")
    assert (await edge.get("/form", method="TRACE")).status == 405


@takes(Step.HOT, Step.LOOKUP)
async def hot_and_over(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF))
    await edge.get("/film")
    await edge.get("/film")
    await asyncio.sleep(11)
    assert (await edge.get("/film")).seen == (200, b"film", "miss")


@takes(Step.LOOKUP, Step.RENEW, service={"cache": {"stale_while_revalidate": "1h"}})
@takes(Step.RENEW, Step.DELIVER, Step.PASS, service={"cache": {"stale_while_revalidate": "1h"}})
async def stale_while_revalidated(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF))
    await edge.get("/film")
    await asyncio.sleep(11)
    edge.break_store("begin_part", StoreError("damaged"), times=1)
    assert (await edge.get("/film")).seen == (200, b"film", "pass")
    assert (await edge.get("/film")).seen == (200, b"film", "stale_hit")


@takes(Step.LOOKUP, Step.HEAD)
@takes(Step.HEAD, Step.PASS)
@takes(Step.PASS, Step.DONE)
async def head_of_nothing_stored(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    assert (await edge.head("/film")).seen == (200, b"", "miss")


@takes(Step.HEAD, Step.DELIVER, service={"cache": {"stale_if_error": "1h"}})
async def head_of_what_is_stale(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", BRIEF))
    await edge.get("/film")
    await asyncio.sleep(11)
    edge.network.fails("o", Failure.CONNECT_REFUSED)
    edge.context.origin.idle.retain(set())
    assert (await edge.head("/film")).seen == (200, b"", "stale_hit")


@takes(Step.HEAD, Step.SYNTH, limits={"origin_requests_per_address": 1})
@takes(Step.PASS, Step.SYNTH, limits={"origin_requests_per_address": 1})
@takes(Step.FILL, Step.SYNTH, limits={"origin_requests_per_address": 1})
async def no_place_left(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, stall))
    other = edge.begin("/other")
    await asyncio.sleep(1)
    assert (await edge.head("/film")).status == 503
    assert (await edge.get("/film")).status == 503
    assert (await edge.get("/film", "Cache-Control: no-store")).status == 503
    other.leave()


@takes(Step.LOOKUP, Step.PASS, Step.SYNTH)
async def past_the_cache_and_only_from_it(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    film = await edge.get("/film", "Cache-Control: no-store")
    assert film.seen == (200, b"film", "bypass")
    assert (await edge.get("/film", "Cache-Control: only-if-cached")).status == 504


@takes(Step.FILL, Step.PASS, Step.LOOKUP)
async def uncacheable_and_changed(edge: MemoryEdge) -> None:
    edge.origin(replying(reply(200, "Cache-Control: no-store", body=b"mine")))
    assert (await edge.get("/mine")).seen == (200, b"mine", "miss")
    edge.origin(serving(b"film", BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)
    edge.origin(replying(reply(304, 'ETag: "z"')), serving(b"new", FRESH))
    assert (await edge.get("/film")).seen == (200, b"new", "miss")


@takes(Step.DELIVER, Step.LOOKUP, Step.PASS)
@takes(Step.LOOKUP, Step.DELIVER)
async def lost_and_broken(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH))
    await edge.get("/film")
    edge.evict("/film", 1)
    edge.close_files()
    assert (await edge.get("/film")).seen == (200, FILM, "miss")
    edge.close_files()
    edge.break_store("open_slice", StoreError("damaged"))
    assert (await edge.get("/film")).seen == (200, FILM, "pass")


@takes(Step.PASS, Step.LOOKUP, network=NETWORK)
async def no_server_of_the_network_helps(edge: MemoryEdge) -> None:
    member = Member(edge)
    for name in ("n2", "n3", "n4", "m1"):
        edge.network.fails(script_name(name), Failure.CONNECT_REFUSED)
    edge.origin(serving(b"film", FRESH))
    assert (await edge.get(member.target(2))).seen == (200, b"film", "miss")
