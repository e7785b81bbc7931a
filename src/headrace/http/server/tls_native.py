"""The object of OpenSSL's below Python's `SSLObject`: one call of Python less for each of its own.

A connection calls it a dozen times until its first answer is out, and three times for each further
one. `SSLObject` adds nothing there but its own calls.
"""

from __future__ import annotations

import ssl
from typing import Any, Protocol


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


def serving(context: ssl.SSLContext, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> NativeTls:
    """Return the server's side of a connection that reads from and writes to memory."""
    # What `wrap_bio` calls. Without an owner, the context's callbacks are given this object.
    return context._wrap_bio(incoming, outgoing, True)  # type: ignore[attr-defined, no-any-return]
