"""An edge that does not own what it is asked for: whom it asks, and what it keeps."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from headrace.edge.fill.fill import Fill
from headrace.edge.peers.membership import Sign
from headrace.edge.request.lookup import Lookup
from headrace.edge.service.resource import Resource
from headrace.store import StoreError
from headrace.topology.model import StoreBy
from headrace.upstream.errors import Failure
from headrace.upstream.failover_body import FailoverResponse
from headrace.upstream.hedging import Race
from headrace.upstream.peering import Peer
from headrace.upstream.response import OriginResponse
from tests.harness.dialogues import in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import any_request, playbook, reset, serving, stall, taken, wait

from .site import NETWORK, Member, script_name, stored_by

FRESH = ("Cache-Control: max-age=100", 'ETag: "a"')
BODY = bytes(range(256)) * 80


def serve(
    edge: MemoryEdge, *names: str, body: bytes = BODY, fields: tuple[str, ...] = FRESH
) -> None:
    for name in names:
        edge.network.origin("o" if name == "o" else script_name(name), serving(body, *fields))


@in_memory(network=NETWORK)
async def test_what_another_server_owns_is_passed_on_and_not_stored(edge: MemoryEdge) -> None:
    member = Member(edge)
    target = member.target(2)
    owner = member.order(target)[0]
    serve(edge, owner)
    for _time in range(2):
        answer = await edge.get(target)
        assert (answer.status, answer.body) == (200, BODY)
    assert member.asked() == [owner, owner]
    assert edge.stored(target) == ()
    assert "detail=not-owned" in answer.cache_status.replace('"', "")


@in_memory(network=NETWORK)
async def test_the_owner_asks_the_parent_and_stores(edge: MemoryEdge) -> None:
    member = Member(edge)
    target = member.target(0)
    serve(edge, "m1")
    first, second = await edge.get(target), await edge.get(target)
    assert (first.body, second.body) == (BODY, BODY)
    assert second.seen[2] == "hit"
    assert member.asked() == ["m1"]


@in_memory(network=NETWORK)
async def test_without_a_signature_nobody_is_asked(edge: MemoryEdge) -> None:
    member = Member(edge)
    edge.context.signer = None
    serve(edge, "o")
    target = member.target(2)
    assert (await edge.get(target)).body == BODY
    assert member.asked() == ["o"]
    assert edge.stored(target)


@in_memory(network=NETWORK)
async def test_no_server_is_asked_while_it_is_not_known_what_is_purged(edge: MemoryEdge) -> None:
    member = Member(edge)
    serve(edge, "o")
    target = member.target(2)

    def unreadable(_peer: Peer | None, _resource: Resource) -> Sign:
        raise StoreError("the rules cannot be read")

    edge.context.signer = unreadable
    assert (await edge.get(target)).body == BODY
    assert member.asked() == ["o"]
    assert edge.metrics.store_write_errors == 1


@in_memory(network=NETWORK)
async def test_ranges_conditions_and_head_are_passed_on_as_they_are(edge: MemoryEdge) -> None:
    member = Member(edge)
    target = member.target(2)
    owner = member.order(target)[0]
    serve(edge, owner)
    part = await edge.get(target, range="10-19")
    assert (part.status, part.body) == (206, BODY[10:20])
    head = await edge.head(target)
    assert (head.status, head.body) == (200, b"")
    edge.network.origin(
        script_name(owner), replying(b'HTTP/1.1 304 Same\r\nETag: "a"\r\nDate: x\r\n\r\n')
    )
    edge.context.origin.idle.retain(())
    same = await edge.get(target, 'If-None-Match: "a"')
    assert (same.status, same.body) == (304, b"")
    assert edge.network.requests[-1].fields["if-none-match"] == '"a"'
    assert member.asked() == [owner] * 3


@pytest.mark.parametrize("at", [0, 5000, len(BODY) - 1])
def test_an_owner_that_dies_in_mid_body_is_left_at_the_same_byte(at: int) -> None:
    @in_memory(network=NETWORK)
    async def dialogue(edge: MemoryEdge) -> None:
        member = Member(edge)
        target = member.target(2)
        owner, second = member.order(target)[:2]
        cut = reply(200, *FRESH, body=b"", length=len(BODY)) + BODY[:at]
        edge.network.origin(script_name(owner), playbook(any_request, cut, taken, reset))
        edge.network.fails(script_name(second), Failure.CONNECT_REFUSED)
        edge.network.fails(script_name("m1"), Failure.CONNECT_REFUSED)
        serve(edge, "o")
        answer = await edge.get(target)
        assert (answer.status, answer.body, answer.outcome) == (200, BODY, "complete")
        assert member.asked() == [owner, "o"]
        assert edge.stored(target) == ()
        assert edge.metrics.bytes_from_servers == at
        assert edge.metrics.bytes_from_origin >= len(BODY) - at
        assert edge.metrics.services.of("s").origin_failures == 0

    dialogue()


@in_memory(network=NETWORK)
async def test_a_fill_from_an_owner_that_dies_is_stored_whole(edge: MemoryEdge) -> None:
    member = Member(edge, stored_by(StoreBy.ALWAYS))
    target = member.target(2)
    owner, second = member.order(target)[:2]
    cut = reply(200, *FRESH, body=b"", length=len(BODY)) + BODY[:9000]
    edge.network.origin(script_name(owner), playbook(any_request, cut, taken, reset))
    serve(edge, second)
    answers = [edge.begin(target) for _client in range(3)]
    for answer in answers:
        await answer.done()
        assert (answer.body, answer.outcome) == (BODY, "complete")
    assert (await edge.get(target)).seen == (200, BODY, "hit")
    assert member.asked() == [owner, second]
    assert edge.network.requests[-1].fields["range"] == f"bytes=9000-{len(BODY) - 1}"


@in_memory(network=NETWORK)
async def test_popular_objects_are_stored_here_too(edge: MemoryEdge) -> None:
    member = Member(edge, stored_by(StoreBy.POPULAR, after=3))
    target = member.target(2)
    owner = member.order(target)[0]
    serve(edge, owner)
    for _time in range(5):
        answer = await edge.get(target)
        assert answer.body == BODY
    assert member.asked() == [owner] * 3
    assert answer.seen[2] == "hit"


@in_memory(network=NETWORK)
async def test_a_class_that_is_always_stored_is_fetched_once_for_all(edge: MemoryEdge) -> None:
    member = Member(edge, stored_by(StoreBy.ALWAYS))
    target = member.target(2)
    owner = member.order(target)[0]
    edge.network.origin(
        script_name(owner), playbook(any_request, wait(0.05), reply(200, *FRESH, body=BODY), stall)
    )
    answers = [edge.begin(target) for _client in range(5)]
    for answer in answers:
        assert (await answer.done()).body == BODY
    assert member.asked() == [owner]


@in_memory(network=NETWORK)
async def test_a_copy_that_is_here_is_validated_with_the_owner(edge: MemoryEdge) -> None:
    member = Member(edge, stored_by(StoreBy.ALWAYS))
    target = member.target(2)
    owner = member.order(target)[0]
    serve(edge, owner, fields=("Cache-Control: max-age=10", 'ETag: "a"', "Age: 4"))
    assert (await edge.get(target)).body == BODY
    assert (await edge.get(target)).fields["age"] == "4"
    await asyncio.sleep(7)
    again = b'HTTP/1.1 304 Same\r\nETag: "a"\r\nCache-Control: max-age=10\r\nAge: 2\r\n\r\n'
    edge.network.origin(script_name(owner), replying(again))
    edge.context.origin.idle.retain(())
    answer = await edge.get(target)
    assert answer.seen == (200, BODY, "revalidated")
    assert answer.fields["age"] == "2"
    assert edge.network.requests[-1].fields["if-none-match"] == '"a"'
    assert (await edge.get(target)).seen[2] == "hit"


@in_memory(network=NETWORK, service={"cache": {"stale_if_error": "1h"}})
async def test_a_stale_copy_stands_in_when_nobody_answers(edge: MemoryEdge) -> None:
    member = Member(edge, stored_by(StoreBy.ALWAYS))
    target = member.target(2)
    serve(edge, member.order(target)[0], fields=("Cache-Control: max-age=10", 'ETag: "a"'))
    await edge.get(target)
    await asyncio.sleep(11)
    for name in (*map(script_name, (*member.order(target), "m1")), "o"):
        edge.network.fails(name, Failure.CONNECT_REFUSED)
    edge.context.origin.idle.retain(())
    assert (await edge.get(target)).seen == (200, BODY, "stale_hit")


@in_memory(network=NETWORK)
async def test_the_one_that_stands_in_stores_when_the_owner_is_gone(edge: MemoryEdge) -> None:
    member = Member(edge)
    target = member.target(1)
    owner = member.order(target)[0]
    edge.network.fails(script_name(owner), Failure.CONNECT_REFUSED)
    edge.network.fails(script_name("m1"), Failure.CONNECT_REFUSED)
    serve(edge, "o")
    for _time in range(3):
        assert (await edge.get(target)).body == BODY
    assert edge.stored(target)
    assert member.asked() == ["o"]
    assert edge.network.connects.count(script_name(owner)) == 1


@in_memory(network=NETWORK)
async def test_a_crowd_whose_owner_is_gone_costs_the_origin_one_request(edge: MemoryEdge) -> None:
    member = Member(edge)
    for name in ("n2", "n3", "n4", "m1"):
        edge.network.fails(script_name(name), Failure.CONNECT_REFUSED)
    serve(edge, "o")
    target = member.target(3)
    crowd = [edge.begin(target) for _client in range(12)]
    for client in crowd:
        assert (await client.done()).body == BODY
    assert member.asked() == ["o"]


@in_memory(network=NETWORK)
async def test_a_sibling_is_answered_from_the_store_or_from_above(edge: MemoryEdge) -> None:
    member = Member(edge)
    target = member.target(2)
    serve(edge, "m1")
    asker = Peer("n2", "north", 1)
    first = await member.ask_as(asker, target).done()
    second = await member.ask_as(asker, target).done()
    assert (first.body, second.body) == (BODY, BODY)
    assert member.asked() == ["m1"]  # what it was asked for by a sibling, it holds for the site
    assert edge.network.requests[0].fields["x-hops"] == "2"
    assert first.interims[0][0] == 102


@in_memory(network=NETWORK)
async def test_a_server_of_another_site_may_be_answered_by_the_owner_here(
    edge: MemoryEdge,
) -> None:
    member = Member(edge)
    target = member.target(2)
    owner = member.order(target)[0]
    serve(edge, owner)
    answer = await member.ask_as(Peer("x1", "elsewhere", 1), target).done()
    assert answer.body == BODY
    assert member.asked() == [owner]
    assert edge.network.requests[0].fields["x-hops"] == "2"


@in_memory(network=NETWORK)
async def test_after_too_many_hops_only_the_origin_is_asked(edge: MemoryEdge) -> None:
    member = Member(edge)
    target = member.target(2)
    serve(edge, "o")
    answer = await member.ask_as(Peer("x1", "elsewhere", 4), target).done()
    assert answer.body == BODY
    assert member.asked() == ["o"]


@in_memory(network=NETWORK)
async def test_two_that_ask_each_other_are_freed_by_their_patience(edge: MemoryEdge) -> None:
    """The owner, by this server's view, asks this server while it waits for the owner."""
    member = Member(edge, stored_by(StoreBy.ALWAYS))
    target = member.target(1)
    owner = member.order(target)[0]
    edge.network.origin(script_name(owner), stall)
    edge.network.fails(script_name("m1"), Failure.CONNECT_REFUSED)
    serve(edge, "o")
    began = edge.loop.time()
    client = edge.begin(target)
    await asyncio.sleep(0.01)
    asked = member.ask_as(Peer(owner, "north", 1), target)
    await asyncio.sleep(0.01)
    assert asked.interims == []  # it does not say that it is at work: that may depend on the asker
    assert ((await client.done()).body, (await asked.done()).body) == (BODY, BODY)
    assert edge.loop.time() - began < 0.2


@in_memory(network=NETWORK)
async def test_what_no_server_may_store_is_asked_of_the_origin_at_once(edge: MemoryEdge) -> None:
    member = Member(edge)
    target = member.target(2)
    owner = member.order(target)[0]
    serve(edge, owner, "o", fields=("Cache-Control: no-store",))
    for _time in range(3):
        assert (await edge.get(target)).body == BODY
    assert member.asked() == [owner, "o", "o"]


@in_memory(network=NETWORK)
async def test_what_is_one_clients_alone_never_goes_to_another_server(edge: MemoryEdge) -> None:
    member = Member(edge)
    target = member.target(2)
    serve(edge, "o")
    for fields, method in ((("Cache-Control: no-store",), "GET"), ((), "POST")):
        await edge.get(target, *fields, method=method)
    assert set(member.asked()) <= {"o", member.order(target)[0]}
    assert member.asked()[-1] == "o"


@in_memory(network=NETWORK)
async def test_a_client_that_leaves_ends_what_was_asked_for_it(edge: MemoryEdge) -> None:
    member = Member(edge)
    target = member.target(2)
    owner, second = member.order(target)[:2]
    edge.network.origin(script_name(owner), stall)
    edge.network.origin(script_name(second), stall)
    client = edge.begin(target)
    await asyncio.sleep(0.15)  # both are asked by now
    client.leave()
    await asyncio.sleep(0.5)
    for name in (owner, second):
        assert member.state(name).active == 0


@in_memory(network=NETWORK)
async def test_nothing_of_a_request_is_left_when_no_server_helped(edge: MemoryEdge) -> None:
    member = Member(edge)
    for name in ("n2", "n3", "n4", "m1"):
        edge.network.fails(script_name(name), Failure.CONNECT_REFUSED)
    serve(edge, "o")
    gc.collect()
    gc.disable()  # as good as in a worker that has nothing to do
    try:
        assert (await edge.get(member.target(3))).body == BODY
        await asyncio.sleep(1)
        assert not [found for found in gc.get_objects() if isinstance(found, Lookup)]
    finally:
        gc.enable()


def left_behind() -> list[object]:
    """Requests, and the results of what was asked for them, that only the collector would find."""
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, Lookup | Race | FailoverResponse | OriginResponse | Fill)
    ]


async def silent(edge: MemoryEdge, member: Member, target: str) -> None:
    """The owner is silent, and loses."""
    edge.network.origin(script_name(member.order(target)[0]), stall)


async def gone(edge: MemoryEdge, member: Member, target: str) -> None:
    """The owner is gone."""
    edge.network.fails(script_name(member.order(target)[0]), Failure.CONNECT_REFUSED)


async def refusing(edge: MemoryEdge, member: Member, target: str) -> None:
    """The owner has no answer."""
    edge.network.origin(script_name(member.order(target)[0]), replying(reply(503)))


async def nobody(edge: MemoryEdge, member: Member, target: str) -> None:
    """No server is there."""
    for name in ("n2", "n3", "n4", "m1"):
        edge.network.fails(script_name(name), Failure.CONNECT_REFUSED)


@pytest.mark.parametrize("store", StoreBy)
@pytest.mark.parametrize("trouble", [silent, gone, refusing, nobody])
def test_a_race_leaves_nothing_for_the_collector(
    store: StoreBy, trouble: Callable[[MemoryEdge, Member, str], Awaitable[None]]
) -> None:
    @in_memory(network=NETWORK)
    async def play(edge: MemoryEdge) -> None:
        member = Member(edge, stored_by(store))
        serve(edge, "n2", "n3", "n4", "m1", "o")
        target = member.target(2)
        await trouble(edge, member, target)
        gc.collect()
        gc.disable()  # as good as in a worker that has nothing to do
        try:
            before = len(left_behind())
            assert (await edge.get(target)).body == BODY
            await asyncio.sleep(3)
            assert len(left_behind()) == before, left_behind()
        finally:
            gc.enable()

    play()
