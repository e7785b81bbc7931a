"""The edge drains while its server is to leave, and serves again after that, at whatever moment."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from headrace.vip.edge_admin import edge_wish


@dataclass
class Edge:
    """An edge that can be told when it runs, and does as it is told a while later."""

    runs: bool = True
    draining: bool = False
    wants: bool | None = None
    told: bool = False

    def turn(self, *, leaves: bool) -> None:
        """Let the VIP process decide once, by what the edge says."""
        known = self.draining if self.runs else None
        self.wants, self.told = edge_wish(leaves=leaves, told=self.told, draining=known)

    def hear(self) -> None:
        """Let the edge hear what is wanted of it now, where it runs."""
        if self.runs and self.wants is not None:
            self.draining = self.wants


EVENTS = st.lists(st.sampled_from(["stop", "start", "leave", "return", "hear", "turn"]))


@given(EVENTS)
def test_whatever_happens_it_serves_in_the_end_when_the_server_is_to_serve(
    events: list[str],
) -> None:
    edge, leaves = Edge(), False
    for event in (*events, "start", "return", "hear", "turn", "hear", "turn", "hear", "turn"):
        match event:
            case "stop":
                edge.runs, edge.draining = False, False
            case "start":
                edge.runs = True
            case "leave" | "return":
                leaves = event == "leave"
            case "hear":
                edge.hear()
        if event not in ("hear", "start"):
            edge.turn(leaves=leaves)
    assert not edge.draining
    assert (edge.wants, edge.told) == (None, False)


def test_what_somebody_else_drained_stays_so() -> None:
    edge = Edge(draining=True)
    for leaves in (False, True, False):
        edge.turn(leaves=leaves)
        edge.hear()
        edge.turn(leaves=leaves)
        assert edge.draining


def test_one_that_stopped_while_it_drained_serves_when_the_order_ended_meanwhile() -> None:
    edge = Edge()
    edge.turn(leaves=True)
    edge.hear()
    edge.runs, edge.draining = False, False
    edge.turn(leaves=True)
    edge.turn(leaves=False)
    edge.runs = True
    edge.hear()
    assert not edge.draining
    edge.turn(leaves=False)
    assert not edge.told
