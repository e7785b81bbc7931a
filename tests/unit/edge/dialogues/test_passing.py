"""Dialogues past the cache: other methods, bodies, HEAD, refusals."""

from __future__ import annotations

import asyncio

import pytest

from headrace.upstream.errors import Failure
from tests.harness.breakable_store import SLICE
from tests.harness.dialogues import chunked, in_memory, reply, replying
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_network import (
    OriginConnection,
    any_request,
    expect,
    playbook,
    reset,
    serving,
    stall,
    taken,
)
from tests.unit.edge.dialogues.bodies import BRIEF, FILM, FRESH, TAG

# Methods and bodies.


@in_memory()
async def test_a_post_goes_to_the_origin_with_its_body(edge: MemoryEdge) -> None:
    edge.origin(
        playbook(
            expect("POST /form", "content-length: 4", body=b"data"), reply(200, body=b"ok"), taken
        )
    )
    answer = await edge.get("/form", method="POST", body=b"data")
    assert answer.seen == (200, b"ok", "pass")
    assert "fwd=method" in answer.cache_status


@in_memory()
async def test_a_post_without_a_body_says_so(edge: MemoryEdge) -> None:
    edge.origin(playbook(expect("POST /form", "content-length: 0"), reply(204), taken))
    assert (await edge.get("/form", method="POST")).seen == (204, b"", "pass")


@in_memory()
async def test_a_body_comes_in_pieces(edge: MemoryEdge) -> None:
    edge.origin(playbook(expect("PUT /form", body=b"one two"), reply(201), taken))
    answer = edge.begin("/form", "Content-Length: 7", method="PUT")
    answer.send(b"one ")
    await asyncio.sleep(1)
    answer.send(b"two")
    assert (await answer.done()).status == 201


@in_memory()
async def test_a_chunked_body_stays_chunked(edge: MemoryEdge) -> None:
    edge.origin(
        playbook(
            expect("POST /form", "transfer-encoding: chunked", body=b"data"), reply(200), taken
        )
    )
    answer = await edge.get(
        "/form", "Transfer-Encoding: chunked", method="POST", body=b"4\r\ndata\r\n0\r\n\r\n"
    )
    assert answer.seen == (200, b"", "pass")


@in_memory()
async def test_a_malformed_chunk_is_refused(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, stall))
    answer = await edge.get("/form", "Transfer-Encoding: chunked", method="POST", body=b"zz\r\n")
    assert (answer.status, answer.client.open) == (400, False)


@in_memory()
async def test_a_client_that_stops_in_its_body_has_left(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, stall))
    answer = edge.begin("/form", "Content-Length: 7", method="PUT")
    await asyncio.sleep(1)
    answer.shut()
    await asyncio.sleep(1)
    answer.leave()


@in_memory()
async def test_a_client_that_expects_100_gets_it_from_the_origin(edge: MemoryEdge) -> None:
    async def body(connection: OriginConnection) -> None:
        assert await connection.read(4) == b"data"

    edge.origin(
        playbook(
            expect("POST /form", "expect: 100-continue"),
            b"HTTP/1.1 100 Continue\r\n\r\n",
            body,
            reply(200, body=b"ok"),
            taken,
        )
    )
    answer = edge.begin("/form", "Content-Length: 4", "Expect: 100-continue", method="POST")
    await asyncio.sleep(0.5)
    assert answer.interims == [(100, [])]
    answer.send(b"data")
    assert (await answer.done()).seen == (200, b"ok", "pass")
    assert answer.interims == [(100, [])]


@in_memory()
async def test_a_final_answer_in_place_of_100_ends_the_request(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, reply(403, body=b"no"), taken))
    answer = edge.begin("/form", "Content-Length: 4", "Expect: 100-continue", method="POST")
    await answer.done()
    assert (answer.seen, answer.interims, answer.client.open) == ((403, b"no", "pass"), [], False)


@in_memory(limits={"request_body": 10})
async def test_a_body_that_is_too_long_is_refused(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, stall))
    answer = await edge.get("/form", method="POST", body=b"x" * 11)
    assert answer.status == 413
    answer = await edge.get(
        "/form", "Transfer-Encoding: chunked", method="POST", body=b"b\r\nxxxxxxxxxxx\r\n0\r\n\r\n"
    )
    assert answer.status == 413


@in_memory()
async def test_a_get_with_a_body_is_the_clients_own(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    answer = await edge.get("/film", body=b"data")
    assert answer.seen == (200, b"film", "pass")
    assert "fwd=request" in answer.cache_status


@in_memory()
async def test_a_field_named_by_connection_makes_it_the_clients_own(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    answer = await edge.get("/film", "Connection: x-mine", "X-Mine: 1")
    assert answer.seen == (200, b"film", "pass")
    assert "x-mine" not in edge.network.requests[-1].fields


@in_memory(service={"cache": {"shared": False}})
async def test_a_service_that_shares_nothing_passes_all(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    for _ in range(2):
        assert (await edge.get("/film")).seen == (200, b"film", "pass")


@in_memory()
async def test_trailers_reach_who_takes_them(edge: MemoryEdge) -> None:
    answer = chunked(
        200, "Cache-Control: no-store", pieces=(b"film",),
        trailers="X-Sum: 1\r\nSet-Cookie: a=b\r\n",
    )  # fmt: skip
    edge.origin(replying(answer))
    film = await edge.get("/film", "TE: trailers", "Connection: TE")
    assert (film.body, film.trailers) == (b"film", [(b"x-sum", b"1")])
    assert film.framing == "chunked"
    film = await edge.get("/film")
    assert (film.body, film.trailers) == (b"film", [])


@in_memory()
async def test_early_hints_are_passed_before_the_answer(edge: MemoryEdge) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    edge.origin(playbook(any_request, hints, reply(200, body=b"ok"), taken))
    answer = await edge.get("/form", method="POST")
    assert answer.interims == [(103, [(b"link", b"</a.css>")])]


@in_memory()
async def test_a_slow_client_slows_the_origin_down(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, "Cache-Control: no-store"))
    film = edge.begin("/film", reads=1000)
    await film.until_body(999)
    await asyncio.sleep(1)
    assert not film.outcome
    film.read()
    assert (await film.done()).seen == (200, FILM, "miss")


@in_memory()
async def test_a_client_that_leaves_ends_the_origins_answer(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, "Cache-Control: no-store"))
    film = edge.begin("/film", reads=1000)
    await film.until_body(999)
    film.leave()
    assert film.outcome == "client_gone"
    post = edge.begin("/form", method="POST", reads=1000)
    await post.until_body(999)
    post.leave()


@in_memory()
async def test_a_passed_body_that_breaks_is_cut_off(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, reply(200, body=b"fi", length=4), taken, reset))
    answer = await edge.get("/form", method="POST")
    assert (answer.body, answer.outcome) == (b"fi", "origin_failed")


@in_memory()
async def test_a_passed_body_to_the_close_is_passed(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, b"HTTP/1.0 200 OK\r\n\r\n", b"film", taken))
    answer = await edge.get("/form", method="POST")
    assert (answer.seen, answer.framing) == ((200, b"film", "pass"), "chunked")


@in_memory(limits={"ranges": 2})
async def test_a_passed_range_must_be_what_was_asked_for(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, "Cache-Control: no-store"))
    bypass = "Cache-Control: no-store"
    film = await edge.get("/film", bypass, range="5-9")
    assert film.seen == (206, FILM[5:10], "bypass")
    film = await edge.get("/film", bypass, range="0-0,2-2,4-4")
    assert film.seen == (200, FILM, "bypass")
    edge.origin(replying(reply(206, f"Content-Range: bytes 7-8/{len(FILM)}", body=FILM[7:9])))
    assert (await edge.get("/film", bypass, range="5-9")).status == 502


@pytest.mark.parametrize(
    ("failure", "status"), [(Failure.CONNECT_REFUSED, 502), (Failure.CONNECT_TIMEOUT, 504)]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_an_origin_that_cannot_be_reached(failure: Failure, status: int, method: str) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.network.fails("o", failure)
        answer = await edge.get("/film", method=method)
        assert (answer.status, answer.word) == (status, "error")

    dialogue()


@in_memory()
async def test_an_origin_that_says_nothing_is_a_504(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, stall))
    assert (await edge.get("/film")).status == 504


TWO = {
    "debug": True,
    "pool": [{"name": "p", "origin": [{"url": "http://a"}, {"url": "http://b"}]}],
}


@in_memory(service=TWO)
async def test_another_origin_is_tried(edge: MemoryEdge) -> None:
    edge.network.fails("a", Failure.CONNECT_REFUSED)
    edge.network.fails("b", Failure.CONNECT_REFUSED)
    answer = await edge.get("/film")
    assert (answer.status, answer.word) == (502, "error")
    assert "a" in answer.fields["headrace-tried"]
    edge.origin(serving(b"film", FRESH), host="b")
    edge.origin(serving(b"film", FRESH), host="a")
    assert (await edge.get("/other")).seen == (200, b"film", "miss")


# HEAD.


@in_memory()
async def test_a_head_of_what_is_stored_is_answered(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    await edge.get("/film")
    film = await edge.head("/film")
    assert (film.seen, film.framing) == ((200, b"", "hit"), f"length {len(FILM)}")


@in_memory()
async def test_a_head_of_what_is_not_stored_asks_the_origin(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    film = await edge.head("/film")
    assert (film.seen, film.detail, film.framing) == ((200, b"", "miss"), "head", "length 4")
    assert edge.asked == ["HEAD /film"]
    assert not edge.stored("/film")


@in_memory()
async def test_a_head_of_unknown_length(edge: MemoryEdge) -> None:
    edge.origin(playbook(any_request, b"HTTP/1.1 200 OK\r\n\r\n", taken))
    film = await edge.head("/film")
    assert (film.seen, film.framing) == ((200, b"", "miss"), "chunked")
    edge.origin(replying(reply(304)))
    assert (await edge.head("/film", 'If-None-Match: "a"')).status == 304
    assert (await edge.head("/film")).status == 502


async def stale(edge: MemoryEdge) -> None:
    """Store something that is stale by now."""
    edge.origin(serving(b"film", BRIEF, TAG))
    await edge.get("/film")
    await asyncio.sleep(11)


@in_memory()
async def test_a_head_makes_what_is_stored_fresh(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(serving(b"film", FRESH, TAG))
    assert (await edge.head("/film")).seen == (200, b"", "miss")
    assert (await edge.get("/film")).seen == (200, b"film", "hit")


@in_memory()
async def test_a_head_tells_that_the_object_has_changed(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH, TAG))
    await edge.get("/film")
    edge.origin(serving(b"longer", FRESH, 'ETag: "b"'))
    assert (await edge.head("/film", "Cache-Control: no-cache")).seen == (200, b"", "miss")
    assert (await edge.get("/film")).seen == (200, b"longer", "miss")


@in_memory()
async def test_an_error_to_a_head_tells_nothing(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(replying(reply(404)))
    assert (await edge.head("/film")).status == 404
    assert edge.stored("/film")


@in_memory()
async def test_a_head_with_fields_of_its_own_teaches_nothing(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.origin(serving(b"film", FRESH, TAG))
    assert (await edge.head("/film", "Cookie: a=b")).status == 200
    edge.origin(replying(reply(304, FRESH, TAG)))
    assert (await edge.get("/film")).word == "revalidated"


@in_memory(service={"cache": {"stale_if_error": "1h"}})
async def test_a_head_of_what_is_stale_hides_a_failing_origin(edge: MemoryEdge) -> None:
    await stale(edge)
    edge.network.fails("o", Failure.CONNECT_REFUSED)
    edge.context.origin.idle.retain(set())
    assert (await edge.head("/film")).seen == (200, b"", "stale_hit")


@in_memory()
async def test_a_head_while_a_purge_comes_in_changes_nothing(edge: MemoryEdge) -> None:
    await stale(edge)

    async def purging(_connection: object) -> None:
        edge.purge()

    edge.origin(playbook(any_request, purging, reply(200, FRESH, TAG, length=4), taken))
    assert (await edge.head("/film")).status == 200
    edge.origin(serving(b"new", FRESH))
    assert (await edge.get("/film")).seen == (200, b"new", "miss")


# Refusals.


@pytest.mark.parametrize(
    ("method", "status"), [("TRACE", 405), ("LOCK", 501), ("WHAT", 501)]
)  # fmt: skip
def test_a_method_that_is_not_served(method: str, status: int) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        answer = await edge.get("/film", method=method)
        assert answer.status == status
        assert ("allow" in answer.fields) == (status == 405)

    dialogue()


@in_memory()
async def test_options_of_the_server_itself(edge: MemoryEdge) -> None:
    answer = await edge.get("*", method="OPTIONS")
    assert (answer.status, answer.word) == (204, "pass")
    assert "GET" in answer.fields["allow"]


@in_memory()
async def test_options_of_a_resource_go_to_the_origin(edge: MemoryEdge) -> None:
    edge.origin(playbook(expect("OPTIONS /film"), reply(204, "Allow: GET"), taken))
    assert (await edge.get("/film", method="OPTIONS")).fields["allow"] == "GET"


@in_memory()
async def test_an_expectation_that_is_not_known(edge: MemoryEdge) -> None:
    assert (await edge.get("/film", "Expect: more")).status == 417
    edge.origin(serving(b"film"))
    assert (await edge.get("/film", "Expect: more", version="1.0")).status == 200


@in_memory()
async def test_a_request_that_has_come_through_here_is_a_loop(edge: MemoryEdge) -> None:
    assert (await edge.get("/film", "Via: 1.1 edge")).status == 508


@in_memory(services=[{"name": "s", "hosts": ["h"], "origins": ["http://o"]}])
async def test_a_host_that_is_not_served(edge: MemoryEdge) -> None:
    answer = await edge.get("/film", host="other")
    assert (answer.status, answer.client.open) == (421, False)


@in_memory()
async def test_a_request_that_cannot_be_read(edge: MemoryEdge) -> None:
    answer = await edge.client().ask(b"GET / HTTP/1.1\r\n\r\n").done()
    assert (answer.status, answer.client.open) == (400, False)
    assert (await edge.get("/a b")).status == 400


SIGNED = {
    "pool": [
        {
            "name": "p",
            "origin": [{"url": "http://o", "signing": {"access_key": "a", "secret_key": "s" * 8}}],
        }
    ]
}


@in_memory(service=SIGNED)
async def test_origins_that_need_a_signature_get_one(edge: MemoryEdge) -> None:
    edge.origin(serving(b"film", FRESH))
    film = await edge.get("/bucket/film")
    assert film.seen == (200, b"film", "miss")
    assert edge.network.requests[0].fields["authorization"].startswith("AWS4-HMAC-SHA256")
    refused = await edge.get("/bucket/film", method="POST", body=b"data")
    assert (refused.status, refused.fields["allow"]) == (405, "GET, HEAD")
    film = await edge.get("/bucket/film", "Cache-Control: no-store")
    assert film.seen == (200, b"film", "bypass")


@in_memory()
async def test_a_fault_of_ours_does_not_leave_a_client_waiting(edge: MemoryEdge) -> None:
    edge.origin(serving(FILM, FRESH, TAG))
    edge.break_store("vary_of", ValueError("a fault"), times=1)
    assert (await edge.get("/bucket/film")).status == 500
    film = edge.begin("/bucket/film", reads=10)
    await film.until_head()
    edge.break_store("has_slice", ValueError("a fault"))
    film.read()
    assert (await film.done()).outcome in ("complete", "internal_error")
    assert len(FILM) > SLICE
