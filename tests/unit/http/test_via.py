"""Which hops a message has come through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.message import Field
from headrace.http.via import MOST_HOPS, add_to_response, hop, names, request_via

OWN = hop((1, 1), b"edge-1")
NAMES = st.text("abcxyz-019:", min_size=1, max_size=12).map(str.encode)


def test_a_hop_says_the_version_that_it_got() -> None:
    assert (hop((1, 0), b"e"), hop((1, 1), b"e")) == (b"1.0 e", b"1.1 e")


@pytest.mark.parametrize("before", [None, b""])
def test_the_first_hop_is_alone(before: bytes | None) -> None:
    assert request_via(before, OWN) == OWN


def test_of_a_request_only_hops_are_kept() -> None:
    before = b"1.1 a, <script>, HTTP/1.0 b:80, 1.1 c (words)"
    assert request_via(before, OWN) == b"1.1 a, HTTP/1.0 b:80, " + OWN


@given(st.binary(max_size=200))
def test_whatever_a_client_says_our_hop_is_the_last(before: bytes) -> None:
    assert request_via(before, OWN).split(b", ")[-1] == OWN


@given(st.lists(NAMES, max_size=MOST_HOPS + 5))
def test_the_last_hops_are_kept_in_order(nodes: list[bytes]) -> None:
    hops = [hop((1, 1), name) for name in nodes]
    assert request_via(b", ".join(hops), OWN).split(b", ") == [*hops[-MOST_HOPS:], OWN]


@given(st.integers(0, MOST_HOPS - 1))
def test_a_node_finds_its_name_behind_others(others: int) -> None:
    value = request_via(None, OWN)
    for number in range(others):
        value = request_via(value, hop((1, 1), b"other-%d" % number))
    assert names(value, b"edge-1")


@pytest.mark.parametrize(
    ("via", "does"),
    [
        (b"1.1 edge-1", True),
        (b"HTTP/1.1 edge-1", True),
        (b"1.1 edge-1 (of a, b), 1.1 edge-2", True),
        (b"1.0 a,1.1\tedge-1", True),
        (b"1.1 edge-2", False),
        (b"1.1 edge-12, 1.1 big-edge-1", False),
        (b"1.1 edge-2 (behind edge-1)", False),
        (b"edge-1", False),
        (b" , ", False),
        (None, False),
    ],
)
def test_a_node_knows_its_name_from_others(via: bytes | None, does: bool) -> None:
    assert names(via, b"edge-1") is does


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ([], [(b"via", OWN)]),
        ([(b"via", b"1.1 a"), (b"x", b"1")], [(b"via", b"1.1 a, " + OWN), (b"x", b"1")]),
        ([(b"via", b"")], [(b"via", OWN)]),
        (
            [(b"via", b"1.1 a"), (b"via", b"1.1 b")],
            [(b"via", b"1.1 a"), (b"via", b"1.1 b, " + OWN)],
        ),
    ],
)
def test_a_response_has_our_hop_behind_all_others(fields: list[Field], after: list[Field]) -> None:
    add_to_response(fields, OWN)
    assert fields == after
