"""The debug answer: the whole decision for one client and URL, as JSON."""

from __future__ import annotations

import ipaddress

import msgspec

from headrace.router.context import RouterContext
from headrace.router.requested import Requested
from headrace.routing.question import Question


class Shown(msgspec.Struct):
    """A candidate as it is shown."""

    base_url: str | None
    site: str
    server: str | None
    weight: float
    spare: bool


class Explained(msgspec.Struct):
    """A decision as it is shown. `network` is the version of the description in force."""

    network: str
    view: int
    client: str | None
    content: str
    shard: str
    reason: str
    coverage: str
    prefix_length: int
    fallback: bool
    candidates: list[Shown]


def explained(
    context: RouterContext, asked: Requested, client: bytes | None, *, secure: bool
) -> bytes:
    """Return the decision as JSON."""
    network = context.network
    decision = network.decide(
        Question(client, asked.content, asked.shard, True if secure else None)
    )
    return msgspec.json.encode(
        Explained(
            network=network.version,
            view=network.view.version,
            client=None if client is None else str(ipaddress.ip_address(client)),
            content=asked.content.name,
            shard=asked.shard.decode("utf-8", "backslashreplace"),
            reason=decision.reason.word,
            coverage=decision.coverage,
            prefix_length=decision.prefix_length,
            fallback=decision.fallback,
            candidates=[
                Shown(
                    asked.places.place(each, secure=secure).base,
                    each.site.name,
                    None if each.server is None else each.server.name,
                    each.weight,
                    each.spare,
                )
                for each in decision.candidates
            ],
        )
    )
