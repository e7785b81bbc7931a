"""What servers tell others of their VIPs: only from who was asked, and bounded."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from headrace.topology.announced_document import Said, SaidError, decode_said, encode_said


def test_it_comes_through() -> None:
    said = Said("s1", "serving", ("192.0.2.1", "2001:db8::1"))
    assert decode_said(encode_said(said), "s1") == said
    assert not said.leaving
    assert said.announces_any([ip_address("2001:db8::1"), ip_address("192.0.2.9")])
    assert not said.announces_any([ip_address("192.0.2.9")])
    assert Said("s1", "out").leaving


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


def test_what_is_passed_on_comes_through() -> None:
    said = Said("s1", "serving", (), 8094, {"s2": ("192.0.2.2", "2001:db8::2")})
    heard = decode_said(encode_said(said), "s1")
    assert heard.takes == 8094
    assert heard.passes_to == dict.fromkeys(map(ip_address, said.passes["s2"]), "s2")
    older = decode_said(b'{"server": "s1", "phase": "serving"}', "s1")
    assert (older.takes, older.passes_to) == (None, {})
    with pytest.raises(SaidError):
        decode_said(b'{"server": "s1", "phase": "serving", "takes": 70000}', "s1")
    with pytest.raises(SaidError):
        _ = Said("s1", "serving", (), None, {"s2": ("there",)}).passes_to
