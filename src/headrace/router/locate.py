"""`/v1/locate`: where a client finds a URL, in order, as JSON for applications."""

from __future__ import annotations

import time
from ipaddress import ip_address

import msgspec

from headrace.http.parser import BadRequest
from headrace.router.asking import Asking, Unavailable
from headrace.router.clients import packed_address
from headrace.router.explain import explained
from headrace.topology.coverage import client_of

DEBUG, CLIENT = "debug", "client"


class Located(msgspec.Struct):
    """One place. `base_url` goes in front of a path and a query; `url` is that of the question."""

    base_url: str
    url: str
    site: str
    server: str | None
    weight: float
    spare: bool


class Location(msgspec.Struct):
    """The answer: the places in order, and until when they hold (seconds, and a date)."""

    content: str = msgspec.field(name="class")
    ttl_s: float
    expires: str
    locations: list[Located]


def _debugged(asking: Asking) -> bytes | None:
    """Return the client that a debug answer is about: the one it names, else who asks. Raises
    BadRequest."""
    text = asking.parameters.get(CLIENT)
    if text is None:
        return asking.client.address
    try:
        return client_of(ip_address(text))
    except ValueError:
        raise BadRequest(400, "client is not an address") from None


def locate(asking: Asking) -> bytes:
    """Return the answer. Raises BadRequest."""
    asked, secure = asking.about()
    context = asking.context
    if DEBUG in asking.parameters:
        if not context.debug.allows(asking.client.address, asking.headers):
            raise BadRequest(403, "the debug answer is for those that the configuration names")
        context.metrics.router_answers["debug"] += 1
        return explained(context.network, asked.question(_debugged(asking), secure=secure))
    decision = asking.decide(asked, secure=secure)
    found: list[Located] = []
    for candidate in decision.candidates:
        place = asked.places.place(candidate, secure=secure)
        if place.base is None:
            continue
        if not found:
            place.tally.count(decision)
        found.append(
            Located(
                base_url=place.base,
                url=place.base + asked.suffix.decode("ascii"),
                site=candidate.site.name,
                server=None if candidate.server is None else candidate.server.name,
                weight=candidate.weight,
                spare=candidate.spare,
            )
        )
    if not found:
        context.tallies.of(None, asked.classified.content).count(decision)
        raise Unavailable(context.retry_after)
    ttl_s = asked.classified.content.ttl_s
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(context.now() + ttl_s))
    return msgspec.json.encode(Location(asked.classified.content.name, ttl_s, expires, found))


def _client(asking: Asking) -> bytes | None:
    """Return for whom the decision is to be explained: who may see it may ask it for others."""
    text = asking.parameters.get("client")
    if text is None:
        return asking.client.address
    address = packed_address(text.encode("utf-8", "replace"))
    if address is None:
        raise BadRequest(400, "client is no address: write 203.0.113.7 or 2001:db8::7")
    return address
