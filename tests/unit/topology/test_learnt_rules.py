from __future__ import annotations

import pytest

from headrace.topology.ancestors import Ancestors
from headrace.topology.learnt_rules import Filter, LearntRules, NotTaken
from headrace.topology.prefix_set import PrefixSet, record_of

WITHIN = PrefixSet.of(["81.0.0.0/8", "2a00::/16", "10.0.0.0/8", "203.0.113.0/24"])
RULES = LearntRules("north", "f", WITHIN, (64500,), ("64500:1", "64500:1:2"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("81.2.0.0/16", None),
        ("81.0.0.0/8", None),
        ("2a00:1::/32", None),
        ("0.0.0.0/0", NotTaken.DEFAULT_ROUTE),
        ("::/0", NotTaken.DEFAULT_ROUTE),
        ("80.0.0.0/7", NotTaken.TOO_SHORT),
        ("2a00::/16", NotTaken.TOO_SHORT),
        ("81.2.3.4/32", NotTaken.TOO_LONG),
        ("81.2.3.0/25", NotTaken.TOO_LONG),
        ("2a00:1::/64", NotTaken.TOO_LONG),
        ("10.1.0.0/16", NotTaken.NOT_GLOBAL),
        ("203.0.113.0/24", NotTaken.NOT_GLOBAL),
        ("127.0.0.0/8", NotTaken.NOT_GLOBAL),
        ("224.0.0.0/8", NotTaken.NOT_GLOBAL),
        ("240.0.0.0/8", NotTaken.NOT_GLOBAL),
        ("2002:5100::/24", NotTaken.NOT_GLOBAL),
        ("fe80::/32", NotTaken.NOT_GLOBAL),
        ("4000::/32", NotTaken.NOT_GLOBAL),
        ("0:0:1::/48", NotTaken.NOT_GLOBAL),
        ("82.0.0.0/16", NotTaken.NOT_WITHIN),
        ("2b00::/32", NotTaken.NOT_WITHIN),
    ],
)
def test_prefixes_are_taken_within_their_bounds(text: str, expected: NotTaken | None) -> None:
    assert Filter(RULES).prefix(record_of(text)) is expected


def test_private_addresses_are_taken_where_the_rules_say_so_and_nonsense_never() -> None:
    judge = Filter(LearntRules("north", "f", private=True)).prefix
    assert judge(record_of("10.1.0.0/16")) is None
    assert judge(record_of("fc00:1::/32")) is None
    assert judge(record_of("127.0.0.0/8")) is NotTaken.NOT_GLOBAL


def test_the_origin_and_the_communities_must_be_among_those_named() -> None:
    judge = Filter(RULES).route
    assert judge((1, 64500), {"64500:1"}) is None
    assert judge((64500,), {"1:1", "64500:1:2"}) is None
    assert judge((64500, 1), {"64500:1"}) is NotTaken.WRONG_ORIGIN
    assert judge((), {"64500:1"}) is NotTaken.WRONG_ORIGIN
    assert judge((64500,), set()) is NotTaken.NO_COMMUNITY
    assert Filter(LearntRules("north", "f")).route((), ()) is None


def test_the_clients_of_another_network_are_not_taken() -> None:
    owners = Ancestors(
        [
            (record_of("81.0.0.0/9"), "ours"),
            (record_of("81.64.0.0/10"), "theirs"),
            (record_of("81.64.1.0/24"), "ours"),
        ]
    )
    judge = Filter(RULES, ["ours"], owners).prefix
    assert judge(record_of("81.1.0.0/16")) is None
    assert judge(record_of("81.128.0.0/9")) is None  # nobody's by the description
    assert judge(record_of("81.64.1.0/24")) is None
    assert judge(record_of("81.64.0.0/10")) is NotTaken.OTHERS_CLIENTS
    assert judge(record_of("81.64.2.0/24")) is NotTaken.OTHERS_CLIENTS
    # It has all of ours in it, but the rest is theirs.
    assert judge(record_of("81.64.0.0/23")) is NotTaken.OTHERS_CLIENTS
