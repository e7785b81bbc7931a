"""ExaBGP's lines are read as it writes them; what a router makes it write is not believed."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.bgp.events import Attributes, DownReason, SessionKey
from headrace.bgp.exabgp.messages import (
    Done,
    Failed,
    Other,
    State,
    Unreadable,
    Update,
    down_reason,
    read_line,
)

ROUTER = SessionKey(ip_address("10.9.0.1"))
HEAD = (
    '{ "exabgp": "5.0.0", "time": 1795690213.78, "host" : "vm", "pid" : 24984, "ppid" : 24950, '
    '"counter": 3, "type": "%s", "neighbor": { "address": { "local": "10.9.0.2", "peer": '
    '"10.9.0.1" }, "asn": { "local": 65000, "peer": 65001 }, "router-id": "10.9.0.2" , %s } }'
)
"""As ExaBGP 5.0.15 writes it."""


def line(kind: str, rest: str) -> bytes:
    return (HEAD % (kind, rest)).encode()


def test_answers() -> None:
    assert read_line(b"done") == Done()
    assert read_line(b"error") == Failed()
    assert read_line(b"exabgp 5.0.15") == Other()
    assert read_line(b"") == Other()


def test_states() -> None:
    assert read_line(line("state", '"state": "up"')) == State(ROUTER, None)
    assert read_line(line("state", '"state": "connected"')) == Other()
    words = "notification received (6,2)"
    told = read_line(line("state", f'"state": "down", "reason": "{words}"'))
    assert told == State(ROUTER, DownReason.NOTIFIED, words)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("closing connection", DownReason.PEER_CLOSED),
        ("notification sent (2,2)", DownReason.WRONG_AS),
        ("notification received (2,2)", DownReason.WRONG_AS),
        ("notification sent (4,0)", DownReason.HOLD_TIMER),
        ("notification received (4,0)", DownReason.HOLD_TIMER),
        ("notification sent (3,1)", DownReason.MALFORMED),
        ("notification sent (1,2)", DownReason.MALFORMED),
        ("notification received (6,1)", DownReason.TOO_MANY_PREFIXES),
        ("notification received (6,2)", DownReason.NOTIFIED),
        ("process problem", DownReason.OTHER),
        ("", DownReason.OTHER),
    ],
)
def test_reasons(words: str, reason: DownReason) -> None:
    assert down_reason(words) is reason


def test_an_update() -> None:
    told = read_line(
        line(
            "update",
            '"direction": "receive", "message": { "update": { "attribute": { "origin": "igp", '
            '"as-path": {"0": {"element": "as-sequence", "value": [65001, 65009]}}, "med": 7, '
            '"community": [ [ 1, 2 ], "no-export" ], "large-community": [ [ 1, 2 , 3 ] ] }, '
            '"announce": { "ipv4 unicast": { "10.9.0.1": [ { "nlri": "203.0.113.0/24" } ] } }, '
            '"withdraw": { "ipv4 unicast": [ { "nlri": "198.51.100.0/24" } ] } } }',
        )
    )
    assert told == Update(
        ROUTER,
        (ip_network("203.0.113.0/24"),),
        (ip_network("198.51.100.0/24"),),
        Attributes(
            as_path=(65001, 65009),
            med=7,
            communities=frozenset({(1, 2), (65535, 65281)}),
            large_communities=frozenset({(1, 2, 3)}),
        ),
    )


def test_the_end_of_all_routes_is_nothing() -> None:
    rest = '"message": { "eor": { "afi" : "ipv4", "safi" : "unicast" } }'
    assert read_line(line("update", rest)) == Other()


@pytest.mark.parametrize(
    "rest",
    [
        '"message": { "update": { "attribute": { , "announce": {} } }',
        '"message": { "update": { "announce": { "ipv4 unicast": { "x": [ { "nlri": "y" } ] } } } }',
        '"message": { "update": { "announce": 7 } }',
    ],
)
def test_what_cannot_be_read_names_its_session(rest: str) -> None:
    told = read_line(line("update", rest))
    assert isinstance(told, Unreadable)
    assert told.session == ROUTER


def test_attributes_are_bounded() -> None:
    path = json.dumps({"0": {"element": "as-sequence", "value": list(range(250))}})
    many = json.dumps([[64500, number] for number in range(900)])
    told = read_line(
        line(
            "update",
            f'"message": {{ "update": {{ "attribute": {{ "as-path": {path}, "community": {many} }},'
            ' "announce": { "ipv4 unicast": { "n": [ { "nlri": "8.0.0.0/8" } ] } } } }',
        )
    )
    assert isinstance(told, Update)
    assert len(told.attributes.as_path) == 64
    assert len(told.attributes.communities) == 32


@given(st.binary(max_size=200))
def test_no_line_is_an_error(junk: bytes) -> None:
    read_line(junk)
    read_line(b"{" + junk)
    read_line(line("update", '"message": { "update": ')[:-4] + junk)


def test_deep_nesting_is_no_error() -> None:
    assert isinstance(read_line(b'{"type": ' + b"[" * 100_000), Unreadable)
