"""TLS for connections of which each brings the session of the one before, as browsers do.

The loop's own TLS does not let a client choose the session that it resumes.
"""

from __future__ import annotations

import ssl


class Sessions:
    """What a client resumes: the last session of each VIP. `name` is the host that certificates
    have to be for. Raises OSError where `ca` is no file of authorities.
    """

    def __init__(self, ca: str, name: str) -> None:
        self._context = ssl.create_default_context(cafile=ca)
        self._name = name
        self._last: dict[str, ssl.SSLSession] = {}

    def begin(self, vip: str) -> Secured:
        """Return a new connection's TLS, with the session of the last one to this VIP."""
        return Secured(self._context, self._name, self._last.get(vip))

    def keep(self, vip: str, secured: Secured) -> None:
        """Keep a connection's session for the next one."""
        if secured.session is not None:
            self._last[vip] = secured.session


class Secured:
    """The TLS of one connection: bytes in, bytes out, without a socket."""

    def __init__(self, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=name, session=session
        )
        self._brought = session is not None
        self._shaken = False

    @property
    def session(self) -> ssl.SSLSession | None:
        """Return what can be resumed of it, once all of its answer is there."""
        return self._object.session if self._shaken else None

    @property
    def resumed(self) -> bool | None:
        """Return whether it resumed a session; None where it had none to bring."""
        return bool(self._object.session_reused) if self._brought and self._shaken else None

    def begin(self) -> bytes:
        """Return what is sent first."""
        self._shake()
        return self._outgoing.read()

    def feed(self, data: bytes, request: bytes) -> tuple[bytes, bytes]:
        """Take what came; return what was in it, and what is to be sent: with the request, once
        there is a connection. Raises ssl.SSLError.
        """
        self._incoming.write(data)
        if not self._shaken:
            self._shake()
            if not self._shaken:
                return b"", self._outgoing.read()
            self._object.write(request)
        parts = []
        try:
            while part := self._object.read(65_536):
                parts.append(part)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return b"".join(parts), self._outgoing.read()

    def _shake(self) -> None:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        self._shaken = True
