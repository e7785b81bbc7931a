"""Which changes of rules are looked at."""

from __future__ import annotations

import socket

import pytest

from headrace.vip.handover.ruleset import TABLE
from headrace.vip.handover.seen import MOST_MESSAGES, Changes
from headrace.vip.handover.silence_rules import TABLE as SILENCE


@pytest.mark.parametrize(
    ("tables", "looks"),
    [
        (["filter", SILENCE, f"{TABLE}_2"], 0),
        ([TABLE], 1),
        (["filter", TABLE, "filter"], 1),
        (["filter"] * (MOST_MESSAGES // 2), 0),
    ],
)
def test_what_others_change_in_their_tables_is_not_looked_at(tables: list[str], looks: int) -> None:
    """Who bans senders changes a set with each: two programs would run for each, without end."""
    said = list[str]()
    changes = Changes(lambda: said.append("changed"))
    kernel, channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel, channel:
        channel.setblocking(False)
        changes._channel = channel
        for name in tables:
            kernel.send(b"\x1c\0\0\0\x0c\x0a" + name.encode() + b"\0\0")
        changes._read()
    assert len(said) == looks
