"""What servers tell each other: only what serves counts, and only from who was asked."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from headrace.vip.plan.model import Phase, Plan, Standing
from headrace.vip.site.document import SaidError, decode_said, encode_said, said_of
from tests.unit.vip.test_announced import planned


def test_a_plan_comes_through() -> None:
    serving = planned("192.0.2.1")
    draining = replace(planned("192.0.2.2"), standing=Standing.DRAINING)
    plan = Plan("s1", (serving, draining, planned("2001:db8::1", None)))
    said = decode_said(encode_said(said_of(plan, Phase.SERVING)), "s1")
    assert said.addresses == {ip_address("192.0.2.1")}
    assert not said.leaving
    assert said_of(plan, Phase.LINGERING).leaving


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"server": "s2", "phase": "serving"}',
        b'{"server": "s1", "phase": "asleep"}',
        b'{"server": "s1", "phase": "serving", "announces": ["%s"]}' % (b"x" * 99),
    ],
)
def test_what_is_not_its_word_is_refused(data: bytes) -> None:
    with pytest.raises(SaidError):
        decode_said(data, "s1")


def test_what_is_no_address_is_refused() -> None:
    said = decode_said(b'{"server": "s1", "phase": "serving", "announces": ["here"]}', "s1")
    with pytest.raises(SaidError):
        _ = said.addresses
