"""The control channel's frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.node.channel import ChannelError, FrameReader, encode
from headrace.node.messages import (
    Binding,
    Configure,
    Drain,
    GetStats,
    Message,
    Refused,
    Stats,
    TakeTicketSecrets,
)
from headrace.telemetry.metrics import WorkerMetrics

MESSAGES: list[Message] = [
    Configure(1, 2, "{}", [Binding("127.0.0.1:0", "127.0.0.1", 8080)]),
    TakeTicketSecrets([b"\x00\xff" * 16, b"\n" * 32]),
    Drain(),
    GetStats(7),
    Refused(3, "no\nway ✗"),
    Stats(7, WorkerMetrics().snapshot()),
]


def test_messages_come_out_as_they_went_in() -> None:
    stream = b"".join(encode(message) for message in MESSAGES)
    assert FrameReader().feed(stream) == MESSAGES


@given(st.lists(st.integers(min_value=1, max_value=3000), max_size=20))
def test_the_cuts_of_the_stream_do_not_matter(sizes: list[int]) -> None:
    stream = b"".join(encode(message) for message in MESSAGES)
    reader = FrameReader()
    found: list[Message] = []
    for size in sizes:
        found += reader.feed(stream[:size])
        stream = stream[size:]
    found += reader.feed(stream)
    assert found == MESSAGES


def test_a_huge_message_is_refused_before_it_is_held() -> None:
    with pytest.raises(ChannelError, match="over the limit"):
        FrameReader().feed(b"\xff\xff\xff\xff")


def test_an_unknown_message_is_refused() -> None:
    body = b'{"type":"dance"}'
    with pytest.raises(ChannelError, match="cannot be read"):
        FrameReader().feed(len(body).to_bytes(4, "big") + body)


def test_a_binding_to_port_0_is_named_by_the_port_in_use() -> None:
    assert Binding("127.0.0.1:0", "127.0.0.1", 4711).name == "127.0.0.1:4711"


def test_a_unix_binding_is_named_by_its_path() -> None:
    assert Binding("unix:/run/x", None, 0).name == "unix:/run/x"
