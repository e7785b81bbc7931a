"""A whole decision for one client and URL, as the debug answer and `headrace locate` show it: the
same values in the same words.
"""

from __future__ import annotations

import ipaddress

import msgspec

from headrace.router.network import RouterNetwork
from headrace.router.places import base_url
from headrace.routing.decide import Routing
from headrace.routing.explain import Step
from headrace.routing.question import Decision, Question


class Shown(msgspec.Struct):
    """A candidate as it is shown. `base_url`: null where the client cannot go there."""

    base_url: str | None
    site: str
    server: str | None
    weight: float
    spare: bool


class Explanation(msgspec.Struct):
    """A decision as it is shown. `network` is the version of the description, `view` that of the
    view in force (0: none).
    """

    network: str
    view: int
    client: str | None
    content: str = msgspec.field(name="class")
    shard: str
    reason: str
    coverage: str
    prefix_length: int
    fallback: bool
    candidates: list[Shown]
    steps: list[Step]


def explained(network: RouterNetwork, question: Question) -> bytes:
    """Return a decision of the network in force as JSON."""
    return msgspec.json.encode(
        explain(network.routing, question, network.version, network.view.version)
    )


def explain(routing: Routing, question: Question, version: str, view: int) -> Explanation:
    """Return a decision with the steps that led to it."""
    steps: list[Step] = []
    decision = routing.decide(question, steps)
    client = question.client
    return Explanation(
        network=version,
        view=view,
        client=None if client is None else str(ipaddress.ip_address(client)),
        content=question.content.name,
        shard=question.shard.decode("utf-8", "backslashreplace"),
        reason=decision.reason.word,
        coverage=decision.coverage,
        prefix_length=decision.prefix_length,
        fallback=decision.fallback,
        candidates=_shown(decision, question),
        steps=steps,
    )


def _shown(decision: Decision, question: Question) -> list[Shown]:
    content, secure = question.content, bool(question.secure)
    return [
        Shown(
            base_url(each, content, secure=secure),
            each.site.name,
            None if each.server is None else each.server.name,
            each.weight,
            each.spare,
        )
        for each in decision.candidates
    ]
