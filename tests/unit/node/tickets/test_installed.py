"""A worker's keys for session tickets: in every context, each with its own."""

from __future__ import annotations

import gc
import ssl

import pytest

from headrace.http.server.ticket_keys import NAME_BYTES, keys_can_be_set
from headrace.http.server.tls_context import CertificateContext
from headrace.node.tickets.installed import InstalledKeys
from headrace.node.tickets.periods import key_of

NOW, BEFORE, NEXT = b"n" * 32, b"b" * 32, b"x" * 32

pytestmark = pytest.mark.skipif(
    not keys_can_be_set(), reason="this Python has OpenSSL linked into it"
)


def made() -> CertificateContext:
    return CertificateContext(ssl.PROTOCOL_TLS_SERVER)


def opens(context: CertificateContext, secret: bytes, certificate: bytes) -> bool:
    """Whether it opens tickets of this key beside those that it seals."""
    return context.has_other_key(key_of(secret, certificate)[:NAME_BYTES])


def test_contexts_follow_whether_they_were_there_before_or_come_after() -> None:
    keys, first, second = InstalledKeys(), made(), made()
    keys.give(first, b"one")
    keys.take([NOW, BEFORE])
    keys.give(second, b"one")
    for context in (first, second):
        assert opens(context, BEFORE, b"one")
        assert not opens(context, NEXT, b"one")
    keys.take([NEXT, NOW])
    for context in (first, second):
        assert opens(context, NOW, b"one")
        assert not opens(context, BEFORE, b"one")


def test_no_certificates_tickets_are_opened_under_another() -> None:
    keys, one, two = InstalledKeys(), made(), made()
    keys.take([NOW, BEFORE, NEXT])
    keys.give(one, b"one")
    keys.give(two, b"two")
    for secret in (NOW, BEFORE, NEXT):
        assert not opens(one, secret, b"two")
        assert not opens(two, secret, b"one")


def test_contexts_that_are_gone_are_forgotten() -> None:
    keys, context = InstalledKeys(), made()
    keys.give(context, b"one")
    assert len(keys) == 1
    del context
    gc.collect()
    assert len(keys) == 0
    keys.take([NOW])
