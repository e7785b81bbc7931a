"""Keys that seal TLS session tickets, in OpenSSL's contexts.

OpenSSL keeps one key in a context, and Python's ssl module has no call for it: `install` asks the
same OpenSSL library directly. A ticket begins with the name of its key, in the clear, so a ticket
of another key is opened by exchanging the key for the one step of the handshake that opens it (see
`tls_context`). OpenSSL's callback for tickets would choose among keys too, but as a function of
Python it costs every handshake what this costs those few.
"""

from __future__ import annotations

import ctypes
import ssl
from functools import cache

from headrace.errors import HeadraceError

KEYS_CANNOT_BE_SET = "this Python has OpenSSL linked into it, and sets no keys for tickets"
NAME_BYTES = 16
KEY_BYTES = 80  # OpenSSL: 16 of name, 32 for HMAC, 32 for AES

_SSL_CTRL_SET_SESS_CACHE_MODE = 44
_SSL_SESS_CACHE_OFF = 0
_SSL_CTRL_GET_TLSEXT_TICKET_KEYS = 58
_SSL_CTRL_SET_TLSEXT_TICKET_KEYS = 59


class TicketKeyError(HeadraceError):
    """The key does not fit this OpenSSL."""


def keys_can_be_set() -> bool:
    """Return whether this Python shows its OpenSSL: one with OpenSSL linked into it does not."""
    return _openssl_control() is not None


def install(context: ssl.SSLContext, key: bytes) -> bool:
    """Seal this server context's tickets with `key` (80 bytes).

    False when this Python hides its OpenSSL: the context then continues with its own random key,
    and a session resumes only on the worker that issued it. Raises TicketKeyError when OpenSSL
    refuses the key.
    """
    if len(key) != KEY_BYTES:
        raise TicketKeyError(f"a ticket key has {KEY_BYTES} bytes, not {len(key)}")
    if not exchange(context, key):
        return False
    control = _openssl_control()
    assert control is not None
    kept = ctypes.create_string_buffer(KEY_BYTES)
    control(_native(context), _SSL_CTRL_GET_TLSEXT_TICKET_KEYS, KEY_BYTES, kept)
    if kept.raw != key:
        raise TicketKeyError("OpenSSL did not keep the session ticket key")
    return True


def keep_no_sessions(context: ssl.SSLContext) -> bool:
    """Have this server context keep no sessions of clients of TLS 1.2 that take no tickets: else
    each takes a kilobyte for two hours, in each worker, and only this one could resume it.

    False when this Python hides its OpenSSL.
    """
    control = _openssl_control()
    if control is None:
        return False
    control(_native(context), _SSL_CTRL_SET_SESS_CACHE_MODE, _SSL_SESS_CACHE_OFF, None)
    return True


def exchange(context: ssl.SSLContext, key: bytes) -> bool:
    """Do as `install` does, unchecked, with a key that was installed before.

    Raises TicketKeyError.
    """
    control = _openssl_control()
    if control is None:
        return False
    if control(_native(context), _SSL_CTRL_SET_TLSEXT_TICKET_KEYS, KEY_BYTES, key) != 1:
        raise TicketKeyError("OpenSSL refused the session ticket key")
    return True


def _native(context: ssl.SSLContext) -> ctypes.c_void_p:
    """Return the SSL_CTX: CPython's object holds its pointer right after the object head."""
    return ctypes.c_void_p.from_address(id(context) + object.__basicsize__)


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
