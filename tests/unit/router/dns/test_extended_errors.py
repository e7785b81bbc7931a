"""What is said of an error beside its code (RFC 8914)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dns.edns
import dns.message
import pytest

from headrace.topology.model import AdminState, Topology
from tests.harness.dns_messages import Asked, option
from tests.harness.dns_server import dns_network


def none_serves() -> Topology:
    """Return a network whose servers are all withdrawn."""
    network = dns_network()
    servers = tuple(replace(each, state=AdminState.WITHDRAWN) for each in network.servers)
    return replace(network, servers=servers)


def said(message: dns.message.Message) -> list[tuple[int, str | None]]:
    return [
        (int(one.code), one.text) for one in message.options if isinstance(one, dns.edns.EDEOption)
    ]


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [("example.net", "A", 20), ("example", "SOA", 20), ("cdn.example", "AXFR", 18)],
)
@pytest.mark.parametrize("udp", [True, False])
def test_who_speaks_edns_is_told_why_it_is_refused(
    name: str, kind: str, code: int, udp: bool
) -> None:
    asked = Asked()
    for _ in range(2):
        assert said(asked.ask(name, kind, use_edns=0, udp=udp)) == [(code, None)]
    assert said(asked.ask(name, kind, udp=udp)) == []


def test_a_name_that_no_server_serves_says_so() -> None:
    asked = Asked(topology=none_serves())
    told = [(22, "no server for this name serves now")]
    for more in ({"use_edns": 0}, {"subnet": "203.0.113.0/24"}, {"subnet": "2001:db8::/56"}):
        kept: dict[str, Any] = more
        for _ in range(2):
            assert said(asked.ask("vod.example", **kept)) == told
    assert said(asked.ask("vod.example")) == []


def test_the_longest_of_questions_leaves_room_for_it_in_the_smallest_message() -> None:
    asked = Asked(topology=none_serves())
    name = ".".join(["x" * 63] * 3 + ["y" * 47]) + ".vod.example"
    options = [option(8, b"\0\2\x80\0" + bytes(16)), option(10, b"8 bytes." + bytes(32))]
    message = asked.ask(name, use_edns=0, payload=512, options=options)
    assert message.flags & dns.flags.TC == 0
    assert [code for code, _text in said(message)] == [22]


@pytest.mark.parametrize(("name", "kind"), [("vod.example", "A"), ("no.cdn.example", "A")])
def test_what_is_no_failure_has_none(name: str, kind: str) -> None:
    assert said(Asked().ask(name, kind, use_edns=0)) == []
