"""Quick ways beside longer ones: a client, the store and the origin see the same of either.

An origin says anything over a kept connection; then clients ask for it in many ways. The quick ways
are a straight miss (`go_straight`), a head that stands in the index (`send_ready`), and one made of
a stored record at once (`send_stored`); on the longer way there are none of them, and nothing hot.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.edge.request import handler
from headrace.edge.request.hot_hits import HotHits
from headrace.store import StoreSettings
from tests.harness import breakable_store
from tests.harness.dialogues import in_memory
from tests.harness.memory_edge import MemoryEdge
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.memory_network import (
    Step,
    any_request,
    close,
    playbook,
    reset,
    serving,
    taken,
)
from tests.unit.edge.dialogues.bodies import FRESH

WARM = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=600\r\n\r\nwarm"
Story = list[object]


@pytest.fixture(autouse=True, scope="module")
def _inline() -> Iterator[None]:
    """Keep small bodies in the index, as a usual edge does."""
    with pytest.MonkeyPatch.context() as patch:
        small = functools.partial(StoreSettings, inline_bytes=4096)
        patch.setattr(breakable_store, "StoreSettings", small)
        yield


@contextmanager
def only_the_longer_way() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler, "go_straight", lambda *_given: False)
        for quick in ("send_ready", "send_stored", "send_hot"):
            patch.setattr(HotHits, quick, lambda *_given: False)
        yield


STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK"] * 20
    + [
        b"HTTP/1.0 200 OK", b"HTTP/1.1 404 No", b"HTTP/1.1 301 There", b"HTTP/1.1 204 Nothing",
        b"HTTP/1.1 206 Part", b"HTTP/1.1 304 Same", b"HTTP/1.1 203 So", b"HTTP/1.1 205 Reset",
        b"HTTP/1.1 410 Gone", b"HTTP/1.1 416 None", b"HTTP/1.1 503 No", b"HTTP/1.1 299 Odd",
        b"HTTP/1.1 401 Who", b"HTTP/1.1 200", b"HTTP/1.1 200 \x01", b"HTTP/2.0 200 OK",
        b"HTTP/1.1 100 On", b"HTTP/1.1 999 Odd",
    ]
)  # fmt: skip
SOUND = [
    b"Cache-Control: no-cache", b"Cache-Control: no-store", b"Cache-Control: private",
    b"Cache-Control: max-age=0", b"Cache-Control: s-maxage=5", b"Cache-Control: max-age=9",
    b"Cache-Control: public, must-revalidate", b"Cache-Control: immutable",
    b"Cache-Control: no-cache=\"set-cookie\"", b"CDN-Cache-Control: max-age=70",
    b"Cache-Control: max-age=1, stale-while-revalidate=60", b"Pragma: no-cache",
    b"Expires: Thu, 01 Jan 1970 00:00:00 GMT", b"Expires: 0", b"Age: 5", b"Age: 700", b"Age: -1",
    b"Expires: Fri, 01 Jan 2100 00:00:00 GMT", b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
    b"Date: yesterday", b"Date: Fri, 01 Jan 2100 00:00:00 GMT", b"Age: 99999999999999999999",
    b"Vary: Accept-Language", b"Vary: *", b"Vary: X-Any, accept-encoding", b"Vary: Cookie",
    b"Vary: ,", b"Vary:", b"Vary: X-Forwarded-For", b"Set-Cookie: a=b", b"ETag: \"a\"",
    b"ETag: W/\"a\"", b"ETag: a", b"Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT",
    b"Last-Modified: Mon", b"Content-Type: text/plain", b"Content-Encoding: gzip", b"Via: 1.0 a",
    b"Content-Language: de", b"Via: 1.1 a, 1.1 b", b"Via:", b"Cache-Status: before; hit",
    b"Connection: close", b"Connection: X-Own, keep-alive", b"Connection: Cache-Control",
    b"Connection: Vary", b"Connection: ETag, Via, Age", b"X-Own: mine", b"Keep-Alive: 5",
    b"Proxy-Connection: close", b"Upgrade: h2c", b"Connection: upgrade", b"Trailer: X-Own",
    b"Proxy-Authenticate: Basic", b"TE: trailers", b"Accept-Ranges: none", b"Location: /b",
    b"Accept-Ranges: bytes", b"Cache-Tag: a, b", b"Surrogate-Key: a b", b"X-Many: 1",
    b"X-Many: 2", b"x-LOWER: \xff%d%s%%", b"X-Tab:\ta\t", b"X-Empty:", b"X-Colon: a: b",
    b"Content-Range: bytes 0-4/5", b"Content-Range: bytes 0-4/9", b"Headrace-Began: 1",
    b"Headrace-Peer: 1 n2", b"Warning: 110", b"Server-Timing: a;dur=1", b"CDN-Loop: a",
    b"X-Long: " + b"l" * 9000, b"Content-Digest: x", b"Set-Cookie2: a=b",
]  # fmt: skip
UNSOUND = [
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Content-Length: 5",
    b"Content-Length: 4", b"Content-Length: +5", b"Content-Length: 5, 5", b"X Y: z", b"no colon",
    b"X-Fold: a\r\n b", b"X-CR: a\rb", b"X-Nul: a\0b", b"X-LF: a\nSet-Cookie: b", b": nameless",
    b"X-Space : a",
]  # fmt: skip
FIELDS = st.tuples(
    st.sampled_from([[b"Cache-Control: max-age=600"]] * 3 + [[]]),
    st.lists(st.sampled_from(SOUND), max_size=4),
    st.one_of(*[st.just([])] * 5, st.sampled_from(UNSOUND).map(lambda line: [line])),
).map(lambda lines: [line for some in lines for line in some])
BODIES = st.sampled_from([b"small"] * 4 + [b"", b"0" * 4000, b"0" * 5000, b"0" * 70_000])
ENDS: dict[str, tuple[Step, ...]] = {"taken": (taken,), "close": (close,), "reset": (reset,)}


@st.composite
def answers(draw: st.DrawFn) -> tuple[Step, ...]:
    """What an origin does at a request."""
    body = draw(BODIES)
    lines = [draw(STATUS_LINES), *draw(FIELDS)]
    framing = draw(st.sampled_from(["length"] * 8 + ["chunked", "none", "more", "less"]))
    stated = len(body) + {"more": 3, "less": -min(len(body), 2)}.get(framing, 0)
    if framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        body = (
            b"%x\r\n%s\r\n0\r\nX-Trailer: t\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        )
    elif framing != "none":
        lines.insert(draw(st.integers(1, len(lines))), b"Content-Length: %d" % stated)
    interim = draw(st.sampled_from([b""] * 6 + [b"HTTP/1.1 103 H\r\nLink: </a>\r\n\r\n"]))
    behind = draw(st.sampled_from([b""] * 6 + [b"!", WARM]))
    whole = interim + b"\r\n".join([*lines, b"", b""]) + body + behind
    most = draw(st.sampled_from([0, 0, 0, 1, 2, 4]))
    cuts = sorted(draw(st.lists(st.integers(0, min(len(whole), 300)), max_size=most)))
    steps: list[Step] = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        if start < end:
            steps += [whole[start:end], taken]
    return (*steps, *ENDS[draw(st.sampled_from(["taken"] * 6 + ["close", "reset"]))])


ASKS = st.lists(
    st.sampled_from(
        [
            (), (), (), ("Accept-Language: de",), ("Accept-Language: en",), ("X-Any: thing",),
            ("Accept-Encoding: gzip",), ('If-None-Match: "a"',), ("If-None-Match: *",),
            ('If-None-Match: "b"',), ("If-Match: \"b\"",), ("Range: bytes=0-1",),
            ("Range: bytes=-1",), ("Range: bytes=99999-",), ("Range: bytes=0-0,2-2",),
            ("If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",), ("Cache-Control: max-age=0",),
            ("Cookie: a=b",), ("Authorization: Basic eA==",), ("Connection: close",),
            ("Connection: keep-alive",), ("Via: 1.1 other",), "HEAD", "1.0", "wait", "long",
            "purge", "soft", "before",
        ]
    ),
    min_size=1,
    max_size=5,
)  # fmt: skip


async def told(
    edge: MemoryEdge, first: tuple[str, ...], answer: Any, asks: Any, *, cold: bool
) -> Story:
    """Return all that can be seen. `cold`: nothing stays in memory from one request to the next."""
    before = edge.worker(ahead_s=-500.0)
    edge.origin(playbook(any_request, WARM, any_request, *answer), serving(b"again", FRESH))
    assert (await edge.get("/warm")).body == b"warm"
    story: Story = []
    for ask in [first, *asks]:
        if ask in ("wait", "long"):
            await asyncio.sleep(3 if ask == "wait" else 100)
            continue
        if ask in ("purge", "soft"):
            edge.purge("prefix", b"s\nh/film", soft=ask == "soft")
            continue
        if ask == "before":  # as if the clock were set back
            seen = await before.get("/film")
        elif ask == "HEAD":
            seen = await edge.head("/film")
        elif ask == "1.0":
            seen = await edge.get("/film", version="1.0")
        else:
            seen = await edge.get("/film", *ask)
        story.append((
            ask, seen.status, seen.word, seen.outcome, seen.keep_alive, seen.framing,
            _fields(seen), _without_boundary(seen.body), seen.interims,
        ))  # fmt: skip
        await edge.settle()
        story.append([
            (stored.variant, stored.vary, stored.status, stored.length, stored.headers,
             stored.tags, stored.flags, stored.lifetime_s, round(stored.corrected_age_s, 3),
             round(stored.response_time, 3), stored.slice_bytes, stored.began_at,
             stored.stale_if_error_s, stored.stale_while_revalidate_s)
            for stored in edge.stored("/film")
        ])  # fmt: skip
        for worker in (edge, before):
            if cold:
                worker.context.hot.clear()
    story.append([(heard.line, heard.head) for heard in edge.network.requests])
    metrics = edge.metrics
    story.append((
        metrics.fills_started, metrics.fills_completed, metrics.fills_failed,
        # How much came of what is refused depends on how it came.
        0 if metrics.fills_failed else metrics.bytes_from_origin,
        dict(metrics.origin_requests), dict(metrics.origin_failures),
        dict(metrics.origin_errors), metrics.requests_miss,
    ))  # fmt: skip
    return story


def _fields(seen: MemoryExchange) -> list[tuple[str, str]]:
    """Return the fields, less framing, and how long it took, which prepared heads leave out."""
    return sorted(
        (name, value.partition(", edge;dur")[0] if name == "server-timing" else value)
        for name, value in seen.field_lines
        if name != "content-length"
    )


def _without_boundary(body: bytes) -> bytes:
    return body if not body.startswith(b"\r\n--") and not body.startswith(b"--") else b""


def both_ways(
    service: dict[str, Any], tell: Callable[[MemoryEdge], Awaitable[Story]]
) -> tuple[Story, Story]:
    """Return what can be seen on the quick ways, and on the longer one."""
    stories: list[Story] = []

    @in_memory(service=service)
    async def dialogue(edge: MemoryEdge) -> None:
        stories.append(await tell(edge))

    dialogue()
    with only_the_longer_way():
        dialogue()
    return stories[0], stories[1]


FIRST = st.sampled_from([(), (), (), ("Accept-Language: de",), ("X-Any: thing",)])
SERVICES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {}, {}, {"debug": True}, {"server_timing": True}, {"forwarded": False},
        {"key": {"request_fields": ["X-Any"]}}, {"key": {"unkeyed_fields": ["X-Any"]}},
        {"key": {"host": False, "scheme": True}}, {"host_header": "origin"},
        {"cache": {"default_lifetime": "5s"}}, {"cache": {"force_lifetime": "50s"}},
        {"cache": {"store_set_cookie": True, "negative": {"404": "9s", "503": "9s"}}},
        {"cache": {"languages": ["de", "en"], "accept_encodings": []}},
        {"cache": {"honour_request_directives": False, "cookie_in_request": "bypass"}},
        {"cache": {"stale_while_revalidate": "50s", "stale_if_error": "50s"}},
        {"cache": {"media_types": ["text/plain"]}}, {"cache": {"max_object": "4000B"}},
        {"cache": {"shared": False}}, {"cache": {"targeted": ["Pragma"]}},
        {"rule": [{"path": "/film*", "default_lifetime": "7s"}]},
    ]
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(SERVICES, FIRST, answers(), ASKS, st.booleans())
def test_quick_ways_look_as_the_longer_one(
    service: dict[str, Any],
    first: tuple[str, ...],
    answer: tuple[Step, ...],
    asks: list[Any],
    cold: bool,
) -> None:
    quickly, slowly = both_ways(service, lambda edge: told(edge, first, answer, asks, cold=cold))
    for quick, slow in zip(quickly, slowly, strict=True):
        assert quick == slow


CLIENTS = st.lists(
    st.fixed_dictionaries(
        {
            "fields": st.lists(
                st.sampled_from(
                    [
                        "Accept-Encoding: gzip", "Accept-Encoding: br;q=0, gzip;q=0.5",
                        "Accept-Encoding: " + "gzip," * 80, "Accept-Language: de",
                        "Accept-Language: en, de;q=0.1", "Accept: text/html", "User-Agent: me",
                        "X-Any: one", "X-Any: two", "X-Forwarded-For: 9.9.9.9", "Forwarded: for=9",
                        "X-Forwarded-Host: evil", "X-Forwarded-Proto: https", "Via: 1.1 other",
                        "CDN-Loop: other", "CDN-Loop: other, another", "X-Real-IP: 9.9.9.9",
                        "x_any: fold", "X-HTTP-Method-Override: POST", "Referer: /a", "DNT: 1",
                        "Origin: http://a", "Keep-Alive: 9", "X-Empty:", "Priority: u=1",
                    ]
                ),
                max_size=3,
            ),
            "host": st.sampled_from(["h", "h", "H", "other", "h:80", "h.", "h:8080"]),
            "address": st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
            "version": st.sampled_from(["1.1", "1.1", "1.0"]),
            "target": st.sampled_from(
                ["/a", "/a?x=1", "/a?y=1&x=1", "/a?", "http://h/a", "/%41", "/b/../a", "/a?CMCD=1"]
            ),
        }
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(SERVICES, CLIENTS)
def test_origins_hear_the_same_on_either_way(
    service: dict[str, Any], clients: list[dict[str, Any]]
) -> None:
    async def tell(edge: MemoryEdge) -> Story:
        edge.origin(serving(b"small", FRESH, "Content-Type: text/plain"))
        await edge.get("/warm")
        story: Story = []
        for client in clients:
            edge.purge()
            edge.context.hot.clear()
            rest = {name: client[name] for name in ("host", "address", "version")}
            seen = await edge.get(client["target"], *client["fields"], **rest)
            story.append((seen.seen, _fields(seen)))
            await edge.settle_fills()
            story.append(edge.network.requests[-1].head)
        return [*story, edge.asked]

    quickly, slowly = both_ways(service, tell)
    for quick, slow in zip(quickly, slowly, strict=True):
        assert quick == slow


@pytest.mark.parametrize("size", [5, 5000])
@pytest.mark.parametrize(
    "fields", [("Cache-Control: max-age=0",), ("Cache-Control: max-age=600", "Age: 700")]
)
def test_no_clock_makes_fresh_what_was_stale_as_it_came(size: int, fields: tuple[str, ...]) -> None:
    @in_memory()
    async def dialogue(edge: MemoryEdge) -> None:
        edge.origin(serving(b"0" * size, 'ETag: "a"', *fields))
        await edge.get("/film")
        assert len(edge.stored("/film")) == 1
        before = edge.worker(ahead_s=-500.0)
        for asked in range(2, 5):
            assert (await before.get("/film")).status == 200
            assert len(edge.asked) == asked

    dialogue()
