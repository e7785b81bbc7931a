"""Session ticket keys: when they are renewed, and that OpenSSL takes them."""

from __future__ import annotations

import ssl

import pytest

from headrace.node.ticket_keys import KEY_BYTES, MAX_AGE_S, TicketKey, TicketKeyError, install


def test_a_young_key_stays() -> None:
    key = TicketKey.generate(1000.0)
    assert key.renewed(1000.0 + MAX_AGE_S - 1) is key


def test_a_key_of_a_day_is_replaced() -> None:
    key = TicketKey.generate(1000.0)
    assert key.renewed(1000.0 + MAX_AGE_S).secret != key.secret


def test_a_key_is_not_shown() -> None:
    key = TicketKey(b"s" * KEY_BYTES, 1.0)
    assert "sss" not in repr(key)


def test_openssl_takes_a_key() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert install(context, TicketKey.generate(0.0).secret) in {True, False}


def test_a_key_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(TicketKeyError, match="80 bytes, not 3"):
        install(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), b"abc")
