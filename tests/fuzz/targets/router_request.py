"""A router's answers: whatever is asked, a client is sent to a server of the network, or refused;
and the second time it is the same.

The input is who asks, by TLS or not, a method, a Host, fields of proxies and a target.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from tests.fuzz.inputs import Bytes
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.memory_router import NORTH, memory_router

WORDS = (
    b"/film/", b"?", b"headrace-debug", b"/v1/locate?url=", b"/v1/steering?url=",
    b"http%3A%2F%2Fvod.example%2Ff", b"http://vod.example/f", b"&pathways=", b"&told=", b"&slow=",
    b"&need=", b"&_HLS_pathway=", b"&_HLS_throughput=", b"&_DASH_pathway=", b"&debug", b"&client=",
    b"n1", b"north", b"router", b"//", b"/../", b"%2e", b"@", b"\\", b"#", b"*", b"for=",
    b";proto=", b"192.0.2.1", b"[2001:db8::1]", b",", b'"', b"evil.example", b"vod.example",
)  # fmt: skip

NETWORK = {f"{name}.cdn.example" for name in ("n1", "n2", "s1", "s2")}
PROXY = "10.0.0.1"
HOSTS = (b"vod.example", b"vod.example:80", b"router.example", b"VOD.example.", b"evil.example")
METHODS = (b"GET", b"HEAD", b"OPTIONS", b"POST", b"TRACE")
ROUTERS = tuple(
    memory_router(
        trusted_proxies=["10.0.0.0/8"],
        forwarded_field=field,
        debug={"networks": ["203.0.113.0/24"]},
    )
    for field in ("X-Forwarded-For", "Forwarded")
)


def check(data: bytes) -> None:
    """Ask twice, and look at what came."""
    source = Bytes(data)
    router = source.choice(ROUTERS)
    client = source.choice((NORTH, PROXY))
    covers = ("vod.example", "router.example") if source.flag() else None
    method = source.choice(METHODS)
    host = source.piece(40) if source.flag() else source.choice(HOSTS)
    forwarded = source.piece(60) if source.flag() else None
    lines = [b"%s %s HTTP/1.1" % (method, b"/" + source.rest()), b"Host: " + host]
    if forwarded is not None:
        lines += [b"X-Forwarded-For: " + forwarded, b"Forwarded: " + forwarded]
    request = b"\r\n".join([*lines, b"", b""])
    if request.count(b"\r\n\r\n") != 1 or request.index(b"\r\n\r\n") + 4 != len(request):
        return  # more than a head
    first, second = (router.send(request, client=client, covers=covers) for _ in range(2))
    assert (first.status, first.fields, first.body) == (
        second.status, second.fields, second.body,
    )  # fmt: skip
    _look_at(first, secure=covers is not None, proxied=client == PROXY)


def _look_at(answer: MemoryExchange, *, secure: bool, proxied: bool) -> None:
    location = answer.fields.get("location")
    assert (location is not None) is (answer.status == 302)
    if location is not None:
        parts = urlsplit(location)
        assert parts.netloc in NETWORK, location
        assert parts.scheme == "https" or not secure or proxied, location
        assert not set(location) & set("\r\n\0 "), location
        return
    assert answer.status in (200, 204) or 400 <= answer.status < 500 or answer.status in (501, 505)
    if not answer.body:
        return
    shown = json.loads(answer.body)
    if "PATHWAY-PRIORITY" in shown:
        priority = shown["PATHWAY-PRIORITY"]
        assert priority
        assert len(set(priority)) == len(priority)
        assert len(shown["RELOAD-URI"]) < 20_000
        assert {clone["ID"] for clone in shown.get("PATHWAY-CLONES", ())} <= set(priority)
    for place in shown.get("locations", ()):
        assert urlsplit(place["base_url"]).netloc in NETWORK | {"cdn.example.net"}
    assert "steps" not in shown or proxied, "the debug answer is for those allowed"
