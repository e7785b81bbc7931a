"""Documents of observers: what is sent comes back, and whatever else comes is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.feedback.exchange.document import (
    VERSION,
    Decision,
    Document,
    DocumentError,
    decode_document,
    encode_document,
)
from headrace.feedback.observation import Outcome, ProbeRecord
from headrace.feedback.orders import MOST_WISHES, OperatorWish, Orders, Wish

DOCUMENT = Document(
    version=VERSION,
    observer="a",
    number=7,
    awake=True,
    hears=["a", "b"],
    decides="a",
    probes={"n1": ProbeRecord(Outcome.OK, 0.5, successes=3)},
    decision=Decision(b"memory", b"view", 1e9, [b"{}"]),
)


def test_what_is_sent_comes_back() -> None:
    assert decode_document(encode_document(DOCUMENT), "a") == DOCUMENT


def test_a_document_of_another_observer_is_refused() -> None:
    with pytest.raises(DocumentError, match="it is 'a'"):
        decode_document(encode_document(DOCUMENT), "b")


def test_a_document_of_another_network_is_refused() -> None:
    wire = encode_document(msgspec.structs.replace(DOCUMENT, network_name="theirs"))
    with pytest.raises(DocumentError, match="the network 'theirs', not 'ours'"):
        decode_document(wire, "a", "ours")
    assert decode_document(wire, "a").network_name == "theirs"
    assert decode_document(encode_document(DOCUMENT), "a", "ours") == DOCUMENT


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("number", -1),
        ("hears", ["x"] * 65),
        ("observer", ""),
        ("probes", {"n1": ["ok", -1.0]}),
        ("probes", {"n1": ["ok", float("nan")]}),
        ("probes", {"n1": ["fine"]}),
        ("decision", {"memory": b"", "view": b"", "now": float("inf")}),
        ("decision", {"memory": b"", "view": b"", "now": 0.0, "events": [b"x" * 5000]}),
    ],
)
def test_nonsense_is_refused(key: str, value: object) -> None:
    data = msgspec.msgpack.encode({**msgspec.to_builtins(DOCUMENT), key: value})
    with pytest.raises(DocumentError):
        decode_document(data, "a")


def test_more_orders_than_anybody_keeps_are_refused_and_not_joined() -> None:
    wish = OperatorWish(Wish.DRAINING, 5)
    for orders in (
        Orders({f"n{number}": (wish,) * 2 for number in range(MOST_WISHES // 2 + 1)}),
        Orders(sites={f"n{number}": (wish,) * 32 for number in range(MOST_WISHES)}),
    ):
        document = msgspec.structs.replace(DOCUMENT, orders=orders)
        with pytest.raises(DocumentError, match="more than 2000 wishes"):
            decode_document(encode_document(document), "a")
    orders = Orders({f"n{number}": (wish,) for number in range(MOST_WISHES)})
    document = msgspec.structs.replace(DOCUMENT, orders=orders)
    assert decode_document(encode_document(document), "a") == document


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(junk: bytes) -> None:
    with pytest.raises(DocumentError):
        decode_document(junk, "a")


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_damage_is_refused_or_harmless(at: int, junk: bytes) -> None:
    data = encode_document(DOCUMENT)
    at %= len(data)
    try:
        found = decode_document(data[:at] + junk + data[at + len(junk) :], "a")
    except DocumentError:
        return
    assert found.observer == "a"
