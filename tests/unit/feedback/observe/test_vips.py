"""What is made of what servers say of their VIPs: who is believed, and when."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from headrace.feedback.observation import VipsHeard
from headrace.feedback.observe.vips import GONE_S, VipsAsking, asked_of
from headrace.topology.announced_document import Said, SaidError
from headrace.topology.model import AdminState, Server, Topology
from headrace.topology.vips import Vip

OTHER = "192.0.2.9"


def server(number: int, site: str = "north") -> Server:
    """A server with a VIP."""
    return Server(
        f"n{number}",
        site,
        f"n{number}.example",
        vips=(Vip(IPv4Address(f"192.0.2.{number}")),),
        vip_listener_url=f"http://10.0.0.{number}:8093",
    )


FIRST, SECOND = server(1), server(2)


def asking(*servers: Server) -> VipsAsking:
    """What asks these."""
    made = VipsAsking(lambda: ())
    made.servers = servers or (FIRST, SECOND)
    return made


def said(one: Server, *vips: str) -> Said:
    """What a server says that serves."""
    return Said(one.name, "serving", vips)


def test_only_those_are_asked_that_have_vips_and_can_be() -> None:
    servers = (
        FIRST,
        replace(server(3), vips=()),
        replace(server(4), vip_listener_url=""),
        replace(server(5), state=AdminState.WITHDRAWN),
    )
    assert asked_of(Topology(servers=servers)) == (FIRST,)


def test_it_is_away_since_it_first_said_so() -> None:
    made = asking()
    assert made.at(100.0) == {}
    made.heard(FIRST, said(FIRST, "192.0.2.1", "192.0.2.2"), 100.0)
    assert made.at(101.0) == {"n1": VipsHeard(1.0, 0.0)}
    for at_s in (102.0, 104.0):
        made.heard(FIRST, said(FIRST, "192.0.2.2"), at_s)
    assert made.at(105.0) == {"n1": VipsHeard(1.0, 3.0)}
    made.heard(FIRST, said(FIRST, "192.0.2.1"), 106.0)
    assert made.at(106.0) == {"n1": VipsHeard(0.0, 0.0)}
    with pytest.raises(SaidError):
        made.heard(FIRST, said(FIRST, "here"), 108.0)
    assert made.at(110.0) == {"n1": VipsHeard(4.0, 0.0)}


def refused(made: VipsAsking, begin_s: float, seconds: float) -> None:
    """Let nothing listen at the first for so long, while the second is heard."""
    at_s = begin_s
    while at_s <= begin_s + seconds:
        made.unheard(FIRST, "Connection refused", at_s, refused=True)
        made.note_gone(at_s)
        at_s += 2.0


def test_a_process_that_is_gone_is_away_when_a_neighbour_has_its_vip() -> None:
    made = asking()
    made.heard(FIRST, said(FIRST, "192.0.2.1"), 100.0)
    made.heard(SECOND, said(SECOND, "192.0.2.1", "192.0.2.2"), 110.0)
    refused(made, 102.0, GONE_S - 2.0)
    assert made.at(112.0)["n1"].away_s == 0.0
    refused(made, 112.0, 0.0)
    assert made.at(112.0)["n1"] == VipsHeard(0.0, 10.0)
    # It is there again, and announces.
    made.heard(FIRST, said(FIRST, "192.0.2.1"), 120.0)
    assert made.at(120.0)["n1"] == VipsHeard(0.0, 0.0)


@pytest.mark.parametrize(
    "word", [said(SECOND, OTHER), said(SECOND, "192.0.2.2"), said(server(2, "south"), "192.0.2.1")]
)
def test_a_process_that_is_gone_is_not_away_while_nobody_has_its_vip(word: Said) -> None:
    second = server(2, "south") if word.announces_any([IPv4Address("192.0.2.1")]) else SECOND
    made = asking(FIRST, second)
    made.heard(FIRST, said(FIRST, "192.0.2.1"), 100.0)
    made.heard(second, word, 120.0)
    refused(made, 102.0, 20.0)
    assert made.at(122.0)["n1"].away_s == 0.0


def test_one_that_only_does_not_answer_is_not_away() -> None:
    made = asking()
    made.heard(FIRST, said(FIRST, "192.0.2.1"), 100.0)
    made.heard(SECOND, said(SECOND, "192.0.2.1"), 118.0)
    for at_s in range(102, 120, 2):
        made.unheard(FIRST, "did not answer in time", float(at_s))
        made.note_gone(float(at_s))
    assert made.at(120.0)["n1"] == VipsHeard(20.0, 0.0)


def test_what_is_described_no_more_is_forgotten() -> None:
    made = asking()
    made.heard(FIRST, said(FIRST), 100.0)
    made.servers = (SECOND,)
    made.heard(FIRST, said(FIRST), 101.0)
    assert made.at(102.0) == {}
