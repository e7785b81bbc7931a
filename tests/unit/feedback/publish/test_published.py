"""The order of views: what is published next is later than all before, whatever clocks say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.feedback.publish.published import Published, believable, next_order, order_of
from headrace.topology.view import NO_VIEW, ServerState, ServerView, View
from headrace.topology.view_codec import ViewError, check_newer

VIEW = View(3, 100.0, {"n1": ServerView(ServerState.FAILED)})


@given(st.floats(0, 1e10), st.integers(1, 2**52), st.floats(0, 1e10))
def test_the_next_is_newer_by_every_nodes_rule(made_at: float, version: int, now: float) -> None:
    at, number = next_order((made_at, version), now)
    assert check_newer(View(number, at), View(version, made_at), max(at, made_at))


def test_it_has_the_own_clocks_time_where_that_is_later() -> None:
    assert next_order((100.0, 3), 200.0) == (200.0, 4)
    assert next_order((100.0, 3), 95.0) == (100.001, 4)


def test_a_view_that_differs_in_number_and_time_alone_says_the_same() -> None:
    published = Published.of(VIEW)
    assert published.says_the_same(replace(VIEW, version=0, made_at=0.0))
    assert not published.says_the_same(replace(VIEW, servers={}))


def test_a_document_reads_back() -> None:
    assert Published.read(Published.of(VIEW).data) == Published.of(VIEW)
    with pytest.raises(ViewError):
        Published.read(b"{}")


def test_a_view_from_the_future_is_not_followed() -> None:
    assert believable((105.0, 1), 100.0)
    assert not believable((500.0, 1), 100.0)


@pytest.mark.parametrize("text", [b"", b"1", b"1,", b"nan,1", b"inf,1", b"1e9,1", b"-1,1", b"1,x"])
def test_what_names_no_place_is_refused(text: bytes) -> None:
    assert order_of(text) is None


def test_a_place_is_read() -> None:
    assert order_of(b"1763456789.123456717,12") == (1763456789.1234567, 12)
    assert order_of(b"0,0") < (NO_VIEW.made_at + 1, 0)  # type: ignore[operator]
