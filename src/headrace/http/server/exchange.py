"""One request and its response, as whoever answers it sees them: what `edge/` is written against.

`Connection` is the exchange of HTTP/1.x; an HTTP/2 stream is to offer the same, and tests answer
from memory. Nothing here knows a socket.
"""

from __future__ import annotations

from typing import Any, Protocol

from headrace.http.message import Field
from headrace.http.parser import BadRequest, RequestHead
from headrace.http.server.send_queue import Residency, View
from headrace.http.server.tls_context import ClientCertificate

NO_FLOWS: dict[Any, Any] = {}
"""Those of a connection of which nothing was counted; never written to."""


class ClientGone(ConnectionError):
    """The client's connection is broken, or was cut for being too slow."""


class Exchange(Protocol):
    """A request that is to be answered with `respond` and its like, or with `start`, `queue`,
    `flushed` and `finish`; its body may be read meanwhile.

    `context` is the handler's own, and so are `flows`, which stay for all requests of a connection
    (`NO_FLOWS` before anything was counted). `covered` is the authority that the certificate was
    found to cover. `status` is 0 until an answer has begun. `began`, `first_byte` and `ended` are
    seconds of the monotonic clock, 0 until they have come.
    """

    address: str
    tls: bool
    head: RequestHead | None
    context: object
    flows: dict[Any, Any]
    covered: bytes | None
    head_only: bool
    keep_alive: bool
    status: int
    bytes_sent: int
    began: float
    first_byte: float
    ended: float

    @property
    def peers_only(self) -> bool:
        """Whether only other servers of the network may be answered."""

    @property
    def client_certificate(self) -> ClientCertificate | None:
        """The certificate that the client had to show; None where it had not."""

    @property
    def has_body(self) -> bool:
        """Whether part of the request's body has not been read yet."""

    @property
    def tls_version(self) -> str | None:
        """The TLS version in use, None without TLS."""

    def certificate_covers(self, host: str) -> bool:
        """Return whether the certificate that was shown speaks for a host."""

    async def read_body(self) -> bytes:
        """Return the next bytes of the request's body, b"" at its end.

        Raises ClientGone when the client leaves or is too slow, BadRequest on malformed chunks.
        """

    def interim(self, status: int, fields: list[Field]) -> None:
        """Send a 1xx response (RFC 9110 section 15.2)."""

    def respond(
        self,
        status: int,
        prepared: bytes,
        body: memoryview | None = None,
        residency: Residency | None = None,
        offset: int = 0,
    ) -> None:
        """Send a whole response: a complete head without Connection, then `body`."""

    def respond_in_pieces(self, status: int, prepared: bytes, pieces: list[View]) -> None:
        """Send a whole response whose body is in several pieces."""

    def respond_at_once(self, status: int, whole: bytes) -> None:
        """Send a small response, head and body in one, where `keep_alive` holds."""

    def start(self, status: int, fields: list[Field], body_bytes: int | None) -> None:
        """Send a response head; `body_bytes` None means "not known"."""

    def queue(self, view: memoryview, residency: Residency | None = None, offset: int = 0) -> None:
        """Send body bytes after what is already queued. Raises ClientGone."""

    def push(self) -> None:
        """Send what is queued now, instead of together with what comes next."""

    async def flushed(self) -> None:
        """Wait until all that was queued is sent. Raises ClientGone."""

    def finish(self, trailers: list[Field] | None = None) -> None:
        """End the response: everything of it was given to `queue`."""

    def discard_unsent(self) -> bool:
        """Forget a response of which nothing has been sent yet; False when it is too late."""

    def refuse(self, error: BadRequest) -> None:
        """Answer a request that cannot be understood, and close."""

    def abort(self, reason: str) -> None:
        """Break off, so that the client cannot take what it has for a whole body."""


class Handler(Protocol):
    """What a server needs of whoever answers. Every call is made on the event loop."""

    def handle(self, exchange: Exchange) -> None:
        """Answer a request whose head is complete, or start to. Must not raise."""

    def refused(self, exchange: Exchange, error: BadRequest) -> None:
        """Answer a request that cannot be understood; the connection closes afterwards."""

    def finished(self, exchange: Exchange, ended: str) -> None:
        """Note that a response ended: "complete", or why it was cut short."""

    def event(self, kind: str, reason: str) -> None:
        """Count something: kind is "refused", "timeout", "tls", "tls_windows",
        "tls_failed" or "cold_read".
        """

    def connections_changed(self, opened: int, closed: int) -> None:
        """Count connections that were accepted or went away."""
