"""The object of OpenSSL's below Python's `SSLObject`: one call of Python less for each of its own.

A connection calls it a dozen times until its first answer is out, and three times for each further
one. `SSLObject` adds nothing there but its own calls. How to get at it is CPython's own affair:
where one dialogue with it does not go as one with an `SSLObject`, that is used instead.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

THROUGH_PYTHON = (
    "this Python's _ssl is not as it has to be: each call of TLS goes through ssl.SSLObject"
)


class NativeTls(Protocol):
    """What is used of `_ssl._SSLSocket`, which raises what `SSLObject` does."""

    @property
    def context(self) -> ssl.SSLContext:
        """The context that it was made with."""

    @property
    def session_reused(self) -> bool:
        """Whether a session was resumed."""

    def do_handshake(self) -> None:
        """Continue the handshake. Raises SSLWantReadError, SSLError."""

    def read(self, size_bytes: int, /) -> bytes:
        """Return what has come, decrypted. Raises SSLWantReadError, SSLError."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Encrypt data; return how many bytes that were. Raises SSLError."""

    def pending(self) -> int:
        """Return how many decrypted bytes wait to be read."""

    def shutdown(self) -> object:
        """Say the end, as `SSLObject.unwrap` does. Raises SSLError."""

    def version(self) -> str | None:
        """Return the version in use, None before the handshake."""

    def getpeercert(self) -> Any:
        """Return the fields of the certificate that the client showed."""


class PythonTls(ssl.SSLObject):
    """Python's own object, with the one call that is named otherwise there."""

    def shutdown(self) -> object:
        """Say the end. Raises SSLError."""
        self.unwrap()
        return None


_Serving = Callable[[ssl.SSLContext, ssl.MemoryBIO, ssl.MemoryBIO], NativeTls]


def serving(context: ssl.SSLContext, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> NativeTls:
    """Return the server's side of a connection that reads from and writes to memory."""
    return (_native if is_native() else _through_python)(context, incoming, outgoing)


def _native(context: ssl.SSLContext, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> NativeTls:
    # What `wrap_bio` calls. Without an owner, the context's callbacks are given this object.
    return context._wrap_bio(incoming, outgoing, True)  # type: ignore[attr-defined, no-any-return]


def _through_python(
    context: ssl.SSLContext, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
) -> NativeTls:
    context.sslobject_class = PythonTls
    found = context.wrap_bio(incoming, outgoing, server_side=True)
    assert isinstance(found, PythonTls)
    return found


@cache
def is_native() -> bool:
    """Return whether `serving` gives OpenSSL's own object. 1 ms, once in a process."""
    try:
        return _dialogue(_native) == _dialogue(_through_python)
    except (AttributeError, TypeError, AssertionError, OSError, ValueError):
        return False


def _dialogue(serve: _Serving) -> list[object]:
    """Return all that a server without a certificate does with a client: what it returns, raises
    and writes.
    """
    context, hello, outgoing = _context(), ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(
        ssl.MemoryBIO(), hello, server_hostname="a.test"
    )
    _outcome(client.do_handshake)
    incoming = ssl.MemoryBIO()
    tls = serve(context, incoming, outgoing)
    said: list[object] = [
        tls.context is context, bool(tls.session_reused), tls.version(), tls.pending(),
        _outcome(tls.do_handshake), outgoing.pending,
    ]  # fmt: skip
    incoming.write(hello.read())
    data = memoryview(b"data")
    said += [_outcome(tls.do_handshake), outgoing.read(), incoming.pending]
    said += [_outcome(lambda: tls.read(9)), _outcome(lambda: tls.write(data))]
    said += [_outcome(tls.shutdown), _outcome(tls.getpeercert), tls.pending()]
    return said


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except (OSError, ValueError) as error:
        return type(error), getattr(error, "reason", "")
