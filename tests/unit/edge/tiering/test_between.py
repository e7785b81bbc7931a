"""What an edge says to the servers that it asks, and what it makes of what they say."""

from __future__ import annotations

import asyncio

import pytest

from headrace.edge.peers.purges import BEGAN
from headrace.topology.model import StoreBy
from headrace.upstream.errors import Failure
from headrace.upstream.peering import Peer, PeerRefusal, PurgeTimes, Signed, tag_digest, verify
from tests.harness.breakable_store import EPOCH_S
from tests.harness.dialogues import in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import serving
from tests.harness.peers import SECRETS, now, said
from tests.unit.edge.tiering.site import NETWORK, Member, script_name, stored_by

FRESH = ("Cache-Control: max-age=1000", 'ETag: "a"')
BODY = bytes(range(256)) * 80
ALWAYS = stored_by(StoreBy.ALWAYS)


def member_of(edge: MemoryEdge) -> tuple[Member, str]:
    """Return a member that signs, stores all that it gets, and a target that it does not own."""
    member = Member(edge, ALWAYS)
    edge.context.use_secrets(None, SECRETS)
    return member, member.target(2)


def serve(edge: MemoryEdge, member: Member, target: str, *fields: str, body: bytes = BODY) -> None:
    edge.origin(serving(body, *FRESH, *fields), host=script_name(member.order(target)[0]))


def only_the_origin(edge: MemoryEdge) -> None:
    """Let every server of the network refuse connections."""
    for name in ("n2", "n3", "n4", "m1"):
        edge.network.fails(script_name(name), Failure.CONNECT_REFUSED)


def heard_by_owner(edge: MemoryEdge) -> Peer | PeerRefusal:
    """Return who the last request was signed by, as its receiver finds."""
    heard = edge.network.requests[-1]
    method, target = heard.line.encode().split(b" ")
    value = heard.fields["headrace-peer"].encode()
    found = verify(SECRETS, method, heard.fields["host"].encode(), target, [value], now(edge))
    return found.peer if isinstance(found, Signed) else found


@in_memory(network=NETWORK)
async def test_an_edge_says_who_it_is_and_what_it_knows_of_purges(edge: MemoryEdge) -> None:
    member, target = member_of(edge)
    serve(edge, member, target)
    await edge.get(target)
    assert heard_by_owner(edge) == Peer("n1", "north", 1)
    await asyncio.sleep(5)
    edge.purge("prefix", b"s\n")
    edge.purge("tag", b"news", soft=True)
    await asyncio.sleep(1)
    await edge.get(target)
    found = heard_by_owner(edge)
    assert isinstance(found, Peer)
    assert found.purges.not_before == pytest.approx(EPOCH_S, abs=0.01)  # the store's clock stands
    (tag,) = found.purges.tags
    assert (tag.digest, tag.soft) == (tag_digest(b"news"), True)


@in_memory(network=NETWORK, service={"forwarded": True})
async def test_the_clients_scheme_is_said_and_not_that_of_the_connection(edge: MemoryEdge) -> None:
    member, target = member_of(edge)
    serve(edge, member, target)
    secure = edge.client(covers=("h",))
    for client in (secure, None):
        assert (await edge.get(target, client=client)).body == BODY
        assert heard_by_owner(edge) == Peer("n1", "north", 1, secure=client is secure)
    assert len(edge.network.requests) == 2


@in_memory(network=NETWORK, service={"forwarded": True})
async def test_a_server_is_answered_as_its_client_would_be(edge: MemoryEdge) -> None:
    """By whatever name and scheme it connects."""
    member, _target = member_of(edge)
    target = member.target(0)
    edge.origin(serving(BODY, *FRESH), host="o")
    edge.network.fails(script_name("m1"), Failure.CONNECT_REFUSED)
    for client in (edge.client(covers=("n1.example",)), edge.client()):
        for secure in (True, False):
            asker = Peer("n2", "north", 1, secure=secure)
            answer = await edge.get(target, said(edge, target, asker), client=client)
            assert (answer.status, answer.body) == (200, BODY)
    schemes = [heard.fields["x-forwarded-proto"] for heard in edge.network.requests]
    assert schemes == ["https", "http"]
    client = edge.client(covers=("n1.example",))
    assert (await edge.get(target, client=client)).status == 421


@in_memory(network=NETWORK)
async def test_what_a_sibling_knows_is_told_to_the_mid_site(edge: MemoryEdge) -> None:
    member = Member(edge, ALWAYS)
    edge.context.use_secrets(None, SECRETS)
    target = member.target(0)
    edge.origin(serving(BODY, *FRESH), host=script_name("m1"))
    purges = PurgeTimes(not_before=now(edge) - 10)
    await edge.get(target, said(edge, target, Peer("n2", "north", 1, purges)))
    assert member.asked() == ["m1"]
    found = heard_by_owner(edge)
    assert isinstance(found, Peer)
    assert (found.name, found.hops) == ("n1", 2)
    assert found.purges.not_before == pytest.approx(purges.not_before, abs=0.01)


@in_memory(network=NETWORK)
async def test_no_sibling_is_asked_for_a_sibling(edge: MemoryEdge) -> None:
    member, target = member_of(edge)
    edge.origin(serving(BODY, *FRESH), host=script_name("m1"))
    await edge.get(target, said(edge, target, Peer("n2", "north", 1)))
    assert member.asked() == ["m1"]


@in_memory(network=NETWORK)
async def test_an_origin_hears_nothing_of_servers(edge: MemoryEdge) -> None:
    member, target = member_of(edge)
    only_the_origin(edge)
    edge.origin(serving(BODY, *FRESH))
    await edge.get(target)
    assert member.asked() == ["o"]
    assert "headrace-peer" not in edge.network.requests[-1].fields


@in_memory(network=NETWORK)
async def test_a_copy_is_as_old_as_the_servers_was(edge: MemoryEdge) -> None:
    member, target = member_of(edge)
    serve(edge, member, target, "Headrace-Began: 60000", "Age: 60")
    assert "headrace-began" not in (await edge.get(target)).fields
    (stored,) = edge.stored(target)
    assert stored.began_at == pytest.approx(now(edge) - 60, abs=0.01)
    assert BEGAN not in dict(stored.headers)
    # So a copy that is older than a purge is found out, though it came after that.
    known = Peer("n2", "north", 1, PurgeTimes(not_before=now(edge) - 30))
    serve(edge, member, target, body=BODY[::-1])
    edge.origin(serving(BODY[::-1], *FRESH), host=script_name("m1"))
    assert (await edge.get(target, said(edge, target, known))).body == BODY[::-1]


@in_memory(network=NETWORK)
async def test_an_origin_can_not_say_how_old_a_copy_is(edge: MemoryEdge) -> None:
    _member, target = member_of(edge)
    only_the_origin(edge)
    edge.origin(serving(BODY, *FRESH, "Headrace-Began: 60000", "Cache-Status: n2; hit"))
    answer = await edge.get(target)
    assert "n2" not in answer.fields["cache-status"]
    (stored,) = edge.stored(target)
    assert stored.began_at == pytest.approx(now(edge), abs=0.01)


@in_memory(network=NETWORK)
async def test_a_validation_makes_a_copy_as_old_as_the_servers(edge: MemoryEdge) -> None:
    member, target = member_of(edge)
    serve(edge, member, target)
    await edge.get(target)
    await asyncio.sleep(10)
    edge.purge("all", soft=True)
    confirmed = reply(304, *FRESH, "Headrace-Began: 5000", "Cache-Status: n2; hit")
    owner = script_name(member.order(target)[0])
    edge.origin(replying(confirmed), host=owner)
    again = await edge.get(target)
    assert again.seen == (200, BODY, "revalidated")
    (stored,) = edge.stored(target)
    assert stored.began_at == pytest.approx(now(edge) - 5, abs=0.01)
    assert again.fields["cache-status"].startswith("n2; hit, edge; fwd=stale")


@in_memory(network=NETWORK)
async def test_each_server_on_the_way_is_named_once_the_first_first(edge: MemoryEdge) -> None:
    member, target = member_of(edge)
    status = "Cache-Status: m1; hit; ttl=50, n2; fwd=uri-miss; stored"
    serve(edge, member, target, status, "Age: 7", "Via: 1.1 m1, 1.1 n2")
    missed, hit = await edge.get(target), await edge.get(target)
    for answer, own in ((missed, "edge; fwd=uri-miss; ttl="), (hit, "edge; hit; ttl=")):
        before, _comma, last = answer.fields["cache-status"].rpartition(", ")
        assert before == "m1; hit; ttl=50, n2; fwd=uri-miss; stored"
        assert last.startswith(own)
        assert answer.fields["via"] == "1.1 m1, 1.1 n2, 1.1 edge"
        assert answer.fields["age"] == "7"


@in_memory(network=NETWORK)
async def test_what_is_passed_through_keeps_what_servers_say(edge: MemoryEdge) -> None:
    member = Member(edge)
    edge.context.use_secrets(None, SECRETS)
    target = member.target(2)
    serve(edge, member, target, "Cache-Status: n2; hit; ttl=50", "Headrace-Began: 900")
    answer = await edge.get(target)
    assert answer.fields["cache-status"].startswith("n2; hit; ttl=50, edge; fwd=uri-miss")
    assert "headrace-began" not in answer.fields


@in_memory(network=NETWORK)
async def test_a_chain_that_is_too_long_is_left_out(edge: MemoryEdge) -> None:
    member, target = member_of(edge)
    serve(edge, member, target, "Cache-Status: " + ", ".join(["n2; hit"] * 17))
    assert (await edge.get(target)).fields["cache-status"].count("n2") == 0


# Errors that a client's CDN-Loop may cause.


@pytest.mark.parametrize(("line", "stored"), [("CDN-Loop: elsewhere", 0), ("X: y", 1)])
@in_memory()
async def test_an_error_that_a_chain_may_have_caused_is_nobody_elses(
    edge: MemoryEdge, line: str, stored: int
) -> None:
    edge.origin(replying(reply(404, "Cache-Control: max-age=60")))
    assert (await edge.get("/film", line)).status == 404
    assert len(edge.stored("/film")) == stored


@pytest.mark.parametrize(("chain", "stored"), [("n2", 1), ("elsewhere, n2", 0)])
@in_memory(network=NETWORK)
async def test_a_chain_of_our_servers_causes_no_error(
    edge: MemoryEdge, chain: str, stored: int
) -> None:
    member = Member(edge)
    edge.context.use_secrets(None, SECRETS)
    target = member.target(0)
    only_the_origin(edge)
    edge.origin(replying(reply(404, "Cache-Control: max-age=60")))
    sibling = said(edge, target, Peer("n2", "north", 1))
    await edge.get(target, sibling, f"CDN-Loop: {chain}")
    assert len(edge.stored(target)) == stored
