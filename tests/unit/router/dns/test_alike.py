"""An answer that many networks share is the one that each would get by itself."""

from __future__ import annotations

import pytest

from headrace.router.dns.decided import Decides
from headrace.routing.alike import AlikeNetworks
from headrace.routing.question import Decision, Question
from headrace.topology.model import ContentClass
from tests.harness.dns_messages import Asked, query
from tests.harness.dns_server import dns_config, dns_network, routing_of


class EachAlone:
    """A routing that knows of nobody who is like another, and counts its decisions."""

    def __init__(self, routing: Decides, *, alone: bool) -> None:
        self._routing = routing
        self._alone = alone
        self.decided = 0

    def decide(self, question: Question) -> Decision:
        """Return where a client goes."""
        self.decided += 1
        return self._routing.decide(question)

    def alike(self, content: ContentClass, most: int) -> AlikeNetworks | None:
        """Return nothing."""
        return None if self._alone else self._routing.alike(content, most)


@pytest.mark.parametrize("kind", ["A", "AAAA", "HTTPS"])
@pytest.mark.parametrize("answers", [1, 2, 3, 8])
def test_shared_answers_are_those_of_each_network(kind: str, answers: int) -> None:
    network = dns_network(5)
    alone = EachAlone(routing_of(network), alone=True)
    shared = EachAlone(routing_of(network), alone=False)
    config = dns_config(answers=answers)
    one, other = (Asked(config, network, routing=each) for each in (alone, shared))
    for number in range(200):
        subnet = "192.0.2.0/24" if number == 7 else f"10.1.{number}.0/24"
        data = query("vod.example", kind, subnet=subnet, id=number)
        assert one.raw(data) == other.raw(data)
    assert one.metrics.routed_servers == other.metrics.routed_servers
    assert alone.decided == 200
    if answers <= 3:
        assert shared.decided < 130
