"""Dialogues with other servers of the network: who is believed, and what they are answered."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from headrace.upstream.peering import Peer, PurgeTimes, TagPurge, tag_digest
from tests.harness.dialogues import in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.memory_network import any_request, playbook, serving, taken, until
from tests.harness.peers import SECRETS, SIBLING, join, knowing, now, said
from tests.unit.edge.dialogues.bodies import FILM, FRESH, TAG

MEMBER = {"file": "/n", "server": "edge"}


# Who is believed.


@in_memory()
async def test_a_server_gets_what_is_stored_and_how_old_it_is(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    await asyncio.sleep(3)
    film = await edge.get("/film", said(edge, "/film"))
    assert film.seen == (200, FILM, "hit")
    assert film.fields["headrace-began"] == "3000"
    assert edge.metrics.peer_requests == {"hit": 1}
    assert not edge.metrics.peer_requests_refused


@in_memory()
async def test_what_servers_ask_for_counts_once_for_eviction(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(b"short", FRESH, TAG))
    await edge.get("/film", said(edge, "/film"))
    assert edge.hits("/film") == 0
    for hits in (1, 2, 3):
        assert (await edge.get("/film", said(edge, "/film"))).word == "hit"
        assert edge.hits("/film") == hits


@in_memory()
async def test_a_server_is_answered_from_what_is_ready_as_a_client_is(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(b"short", FRESH, TAG))
    await edge.get("/film")
    client = await edge.get("/film")
    assert client.hot
    await asyncio.sleep(2)
    server = edge.begin("/film", said(edge, "/film"))
    assert server.outcome == "complete"  # at once, without a task
    assert server.seen == (200, b"short", "hit")
    part = await edge.get("/film", said(edge, "/film"), range="1-2")
    assert (part.status, part.body, part.word) == (206, b"ho", "hit")
    head = await edge.head("/film", said(edge, "/film", method="HEAD"))
    for answer in (server, part, head):
        assert answer.fields["headrace-began"] == "2000"
        assert answer.fields["age"] == "2"
        assert answer.fields["cache-status"].startswith("edge; hit; ttl=598")
    assert "headrace-began" not in (await edge.get("/film")).fields
    assert "headrace-began" not in (await edge.get("/film", range="1-2")).fields
    assert edge.metrics.peer_requests == {"hit": 3}
    edge.origin(serving(b"newer", FRESH, TAG))
    known = knowing(not_before=now(edge))
    assert (await edge.get("/film", said(edge, "/film", known))).body == b"newer"
    edge.origin(serving(b"newest", FRESH, TAG))
    await asyncio.sleep(1)
    known = knowing(not_before=now(edge))
    part = await edge.get("/film", said(edge, "/film", known), range="1-2")
    assert (part.status, part.body) == (206, b"ew")
    assert (await edge.get("/film")).body == b"newest"


@in_memory()
async def test_a_client_does_not_hear_what_servers_do(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG, "Headrace-Began: 5", "Headrace-Peer: 1"))
    for _ in range(3):
        film = await edge.get("/film")
        assert "headrace-began" not in film.fields
    passed = await edge.get("/other", method="POST")
    assert "headrace-began" not in passed.fields


@in_memory()
async def test_what_servers_say_reaches_no_origin_and_no_key(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film", said(edge, "/film"))
    await edge.get("/film", "Headrace-Peer: whatever")
    await edge.get("/film", "Headrace-Peer: whatever", method="POST")
    await edge.get("/film", said(edge, "/film", method="POST"), method="POST")
    assert edge.asked == ["GET /film", "POST /film", "POST /film"]
    assert all("headrace-peer" not in heard.fields for heard in edge.network.requests)
    assert len(edge.stored("/film")) == 0 or len(edge.stored("/film")) == 1


@in_memory(network=MEMBER)
async def test_clients_that_claim_to_be_servers_fill_no_log(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    forged = said(edge, "/film", secrets=type(SECRETS)((b"x" * 32,)))
    with capture_logs() as logs:
        for _ in range(20):
            assert (await edge.get("/film", forged)).status == 421
        assert len(logs) == 1
        assert (await edge.get("/film", "Headrace-Peer: nonsense")).status == 421
        assert [each["reason"] for each in logs] == ["peer_signature", "peer_malformed"]
        await asyncio.sleep(11)
        await edge.get("/film", forged)
        assert len(logs) == 3
    assert edge.metrics.peer_requests_refused["peer_signature"] == 21


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("forged", "peer_signature"), ("other target", "peer_signature"),
        ("other method", "peer_signature"), ("other host", "peer_signature"),
        ("old", "peer_clock"), ("early", "peer_clock"), ("twice", "peer_malformed"),
        ("cut", "peer_malformed"), ("nonsense", "peer_malformed"), ("unknown", "peer_unknown"),
        ("wrong site", "peer_unknown"), ("itself", "peer_unknown"),
    ],
)  # fmt: skip
@in_memory(network=MEMBER)
async def test_who_is_not_believed_gets_nothing(edge: MemoryEdge, how: str, reason: str) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    await asyncio.sleep(1)
    known = knowing(not_before=now(edge))
    purges = known.purges
    good = said(edge, "/film", known)
    lines = {
        "forged": [said(edge, "/film", known, secrets=type(SECRETS)((b"x" * 32,)))],
        "other target": [said(edge, "/other", known)],
        "other method": [said(edge, "/film", known, method="HEAD")],
        "other host": [said(edge, "/film", known, host="g")],
        "old": [said(edge, "/film", known, skew_s=-31)],
        "early": [said(edge, "/film", known, skew_s=31)],
        "twice": [good, good],
        "cut": [good[:-1]],
        "nonsense": ["Headrace-Peer: 1 n2 north 1 http 0 0 0 - " + "0" * 63],
        "unknown": [said(edge, "/film", Peer("n9", "north", 1, purges))],
        "wrong site": [said(edge, "/film", Peer("n2", "mid", 1, purges))],
        "itself": [said(edge, "/film", Peer("edge", "north", 1, purges))],
    }[how]
    with capture_logs() as logs:
        film = await edge.get("/film", *lines)
    assert [(each["event"], each["reason"]) for each in logs] == [("peer_refused", reason)]
    assert logs[0]["meaning"]
    assert film.status == 421  # what was said of a purge would not be heeded
    assert "headrace-began" not in film.fields
    assert (await edge.get("/film")).seen == (200, FILM, "hit")
    assert edge.metrics.peer_requests_refused == {reason: 1}
    assert not edge.metrics.peer_requests
    assert edge.asked == ["GET /film"]


@in_memory()
async def test_without_a_network_no_server_is_believed(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    film = await edge.get("/film", said(edge, "/film"))
    assert "headrace-began" not in film.fields
    assert edge.metrics.peer_requests_refused == {"peer_unexpected": 1}


@in_memory()
async def test_a_server_of_another_site_is_believed(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    assert (
        "headrace-began" in (await edge.get("/film", said(edge, "/film", Peer("m1", "mid")))).fields
    )


@in_memory(network=MEMBER)
async def test_without_a_secret_a_member_believes_no_server(edge: MemoryEdge) -> None:
    join(edge, secrets=type(SECRETS)())
    assert (await edge.get("/film", said(edge, "/film"))).status == 421
    assert edge.metrics.peer_requests_refused == {"peer_unexpected": 1}


@in_memory(network=MEMBER)
async def test_where_only_servers_are_answered_no_client_is(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    await edge.get("/film")
    for method, line in (("GET", "X: y"), ("GET", "Headrace-Peer: 1 n2"), ("POST", "X: y")):
        client = edge.client()
        client.peers_only = True
        refused = await edge.get("/film", line, method=method, client=client)
        assert refused.status == 421
    server = edge.client()
    server.peers_only = True
    film = await edge.get("/film", said(edge, "/film"), client=server)
    assert film.seen == (200, FILM, "hit")
    assert len(edge.asked) == 1


# Loops.


@in_memory(network={**MEMBER, "hops": 2})
async def test_a_request_that_came_through_too_many_servers_ends(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    assert (await edge.get("/film", said(edge, "/film", Peer("n2", "north", 2)))).status == 200
    assert (await edge.get("/film", said(edge, "/film", Peer("n2", "north", 3)))).status == 508


@in_memory(network={**MEMBER, "hops": 2, "cdn_name": "ours"})
async def test_a_request_that_came_through_the_network_too_often_ends(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    assert (await edge.get("/film", "CDN-Loop: ours, ours, ours", method="POST")).status == 508
    assert (await edge.get("/film", "CDN-Loop: other, ours, ours", method="POST")).status == 200
    assert edge.network.requests[-1].fields["cdn-loop"] == "other, ours, ours, ours"


# What a server is answered that has to wait.


@in_memory()
async def test_a_server_hears_at_once_that_others_are_asked(edge: MemoryEdge) -> None:
    join(edge)
    go = asyncio.Event()
    edge.origin(playbook(any_request, until(go), reply(200, FRESH, TAG, body=FILM), taken))
    server, client = edge.begin("/film", said(edge, "/film")), edge.begin("/film")
    await asyncio.sleep(1)
    assert [status for status, _ in server.interims] == [102]
    assert client.interims == []
    go.set()
    assert (await server.done()).body == FILM
    assert (await client.done()).body == FILM
    assert len(edge.asked) == 1


# Purges.


@in_memory()
async def test_what_the_asker_knows_to_be_purged_is_not_handed_out(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    await asyncio.sleep(10)
    purged_at = now(edge) - 5
    edge.origin(serving(FILM[::-1], FRESH, TAG))  # even with the same validator
    film = await edge.get("/film", said(edge, "/film", knowing(not_before=purged_at)))
    assert film.seen == (200, FILM[::-1], "miss")
    assert (await edge.get("/film")).seen == (200, FILM[::-1], "hit")  # nor to anybody else


@in_memory()
async def test_a_purge_removes_a_copy_once(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    await asyncio.sleep(10)
    known = knowing(not_before=now(edge))
    for _ in range(5):
        assert (await edge.get("/film", said(edge, "/film", known))).body == FILM
        await asyncio.sleep(1)
    assert len(edge.asked) == 2


@pytest.mark.parametrize("skew_s", [-20, 0, 20])
@in_memory()
async def test_clocks_need_not_agree(edge: MemoryEdge, skew_s: float) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    await asyncio.sleep(60)

    async def asked(purged_ago_s: float) -> None:
        known = knowing(not_before=now(edge) + skew_s - purged_ago_s)
        await edge.get("/film", said(edge, "/film", known, skew_s=skew_s))

    await asked(61)
    assert len(edge.asked) == 1
    await asked(59)
    assert len(edge.asked) == 2


@in_memory()
async def test_a_soft_purge_of_the_askers_is_a_validation(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    await asyncio.sleep(10)
    edge.origin(replying(reply(304, FRESH, TAG)))
    known = knowing(stale_before=now(edge))
    assert (await edge.get("/film", said(edge, "/film", known))).seen == (200, FILM, "revalidated")
    assert (await edge.get("/film", said(edge, "/film", known))).seen == (200, FILM, "hit")
    assert edge.network.requests[-1].fields["if-none-match"] == '"a"'
    assert len(edge.asked) == 2


@in_memory()
async def test_a_purge_by_a_tag_hits_what_has_it(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG, "Surrogate-Key: news sport"))
    await edge.get("/film")
    await asyncio.sleep(10)

    def asking(tag: bytes) -> str:
        purges = PurgeTimes(tags=(TagPurge(tag_digest(tag), now(edge) - 1),))
        return said(edge, "/film", knowing(purges=purges))

    assert (await edge.get("/film", asking(b"weather"))).word == "hit"
    assert (await edge.get("/film", asking(b"sport"))).word == "miss"
    assert (await edge.get("/film", asking(b"sport"))).word == "hit"


@in_memory()
async def test_a_purge_by_a_tag_that_is_not_named_hits_whatever_has_one(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG, "Surrogate-Key: news"))
    await edge.get("/film")
    edge.origin(serving(b"old", FRESH, TAG))
    await edge.get("/plain")
    await asyncio.sleep(10)
    known = knowing(purges=PurgeTimes(tagged_before=now(edge)))
    assert (await edge.get("/film", said(edge, "/film", known))).word == "miss"
    assert (await edge.get("/plain", said(edge, "/plain", known))).word == "hit"


@in_memory()
async def test_a_fill_that_began_before_the_purge_is_not_waited_for(edge: MemoryEdge) -> None:
    join(edge)
    go = asyncio.Event()
    edge.origin(
        playbook(any_request, until(go), reply(200, FRESH, TAG, body=FILM), taken),
        serving(FILM[::-1], FRESH, TAG),
    )
    client = edge.begin("/film")
    await asyncio.sleep(1)
    server = edge.begin("/film", said(edge, "/film", knowing(not_before=now(edge))))
    await asyncio.sleep(1)
    go.set()
    assert (await client.done()).body == FILM
    assert (await server.done()).body == FILM[::-1]
    assert server.detail == "purged"


@in_memory()
async def test_a_purge_is_seen_by_all_workers(edge: MemoryEdge) -> None:
    other = edge.worker()
    join(edge, other)
    edge.origin(serving(b"old", FRESH, TAG))
    for each in (edge, other, edge, other):
        await each.get("/film")
    await asyncio.sleep(1)
    edge.origin(serving(b"new", FRESH, TAG))
    known = knowing(not_before=now(edge))
    assert (await edge.get("/film", said(edge, "/film", known))).body == b"new"
    assert (await other.get("/film")).body == b"new"


@in_memory()
async def test_more_purges_than_may_become_rules_are_heeded_all_the_same(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    edge.context.peer_purges._left = 0.0
    edge.context.peer_purges._since = edge.loop.time() + 1000
    await asyncio.sleep(1)
    edge.origin(serving(FILM[::-1], FRESH, TAG))
    film = await edge.get("/film", said(edge, "/film", knowing(not_before=now(edge))))
    assert film.body == FILM[::-1]
    assert not edge.store.rules_since(0)


# Limits.


@in_memory(network={**MEMBER, "peer_places": 3}, limits={"origin_requests_per_address": 2})
async def test_a_server_speaks_for_many_clients(edge: MemoryEdge) -> None:
    join(edge)
    go = asyncio.Event()
    edge.origin(playbook(any_request, until(go), reply(200, "Cache-Control: no-store"), taken))
    servers = [edge.begin(f"/{n}", said(edge, f"/{n}")) for n in range(7)]
    clients = [edge.begin(f"/c{n}") for n in range(3)]
    await asyncio.sleep(1)
    go.set()
    assert sorted([(await each.done()).status for each in servers]) == [200] * 6 + [503]
    assert sorted([(await each.done()).status for each in clients]) == [200] * 2 + [503]


@in_memory()
async def test_a_server_that_leaves_gives_everything_back(edge: MemoryEdge) -> None:
    join(edge)
    edge.origin(playbook(any_request, reply(200, FRESH, TAG, body=FILM[:9], length=len(FILM))))
    server = edge.begin("/film", said(edge, "/film", SIBLING))
    await server.until_body(1)
    server.leave()


@in_memory()
async def test_a_server_that_is_gone_when_it_is_told_to_wait_is_no_fault(
    edge: MemoryEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(edge)
    edge.origin(serving(FILM, FRESH, TAG))

    def broken(exchange: MemoryExchange, _status: int, _fields: object) -> None:
        exchange.leave()  # as a write does that meets a connection which was reset

    monkeypatch.setattr(MemoryExchange, "interim", broken)
    with structlog.testing.capture_logs() as logs:
        for method in ("GET", "HEAD", "DELETE"):
            edge.begin("/film", said(edge, "/film", method=method), method=method)
            await asyncio.sleep(1)
    assert not [line for line in logs if line["event"] == "task_failed"]
