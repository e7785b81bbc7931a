"""TLS session ticket keys: one key for all workers, so that a client resumes on any of them.

The supervisor makes the key and renews it; a worker installs it into its TLS contexts. Python's
ssl module has no call for it, so `install` asks the same OpenSSL library directly.
"""

from __future__ import annotations

import ctypes
import secrets
import ssl
from dataclasses import dataclass
from functools import cache
from typing import Self

from headrace.errors import HeadraceError

KEY_BYTES = 80  # OpenSSL: 16 of name, 32 for HMAC, 32 for AES
MAX_AGE_S = 24 * 3600.0

_SSL_CTRL_GET_TLSEXT_TICKET_KEYS = 58
_SSL_CTRL_SET_TLSEXT_TICKET_KEYS = 59


class TicketKeyError(HeadraceError):
    """The key does not fit this OpenSSL."""


@dataclass(frozen=True, slots=True)
class TicketKey:
    """The secret that seals session tickets, and when it was made (Unix seconds).

    A ticket sealed by an older key is not an error: its client makes a full handshake.
    """

    secret: bytes
    made: float

    @classmethod
    def generate(cls, now: float) -> Self:
        """Make a new key."""
        return cls(secrets.token_bytes(KEY_BYTES), now)

    def renewed(self, now: float) -> TicketKey:
        """Return this key, or a new one when this is older than a day (RFC 8446 section 4.6.1)."""
        if now - self.made < MAX_AGE_S:
            return self
        return TicketKey.generate(now)

    def __repr__(self) -> str:
        return f"TicketKey(made={self.made})"


def secret_for(secret: bytes, fingerprint: bytes) -> bytes:
    """Return one certificate's own key, the same on all workers, made of the key that they
    share.
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"headrace ticket " + fingerprint).derive(
        secret
    )


def install(context: ssl.SSLContext, secret: bytes) -> bool:
    """Seal this server context's tickets with `secret` (80 bytes).

    False when this Python hides its OpenSSL (statically linked builds): the context then continues
    with its own random key, and a session resumes only on the worker that issued it. Raise
    TicketKeyError when OpenSSL refuses the key.
    """
    if len(secret) != KEY_BYTES:
        raise TicketKeyError(f"a ticket key has {KEY_BYTES} bytes, not {len(secret)}")
    control = _openssl_control()
    if control is None:
        return False
    # CPython's SSLContext object holds its SSL_CTX pointer right after the object head.
    native = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    if control(native, _SSL_CTRL_SET_TLSEXT_TICKET_KEYS, KEY_BYTES, secret) != 1:
        raise TicketKeyError("OpenSSL refused the session ticket key")
    kept = ctypes.create_string_buffer(KEY_BYTES)
    control(native, _SSL_CTRL_GET_TLSEXT_TICKET_KEYS, KEY_BYTES, kept)
    if kept.raw != secret:
        raise TicketKeyError("OpenSSL did not keep the session ticket key")
    return True


@cache
def _openssl_control() -> ctypes._NamedFuncPointer | None:
    try:
        import _ssl

        control = ctypes.CDLL(_ssl.__file__).SSL_CTX_ctrl
    except (ImportError, AttributeError, OSError):
        return None
    control.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p)
    control.restype = ctypes.c_long
    return control
