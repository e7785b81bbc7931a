"""A TLS context that knows for which hosts its certificate speaks, and opens tickets of several
keys.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from headrace.http.server.ticket_keys import NAME_BYTES, exchange, install
from headrace.http.server.tls_native import NativeTls

PROTOCOLS = ("http/1.1",)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that a client showed, and that was verified: the hosts in its subjectAltName,
    wildcards left out, and until when it holds (Unix time).
    """

    hosts: frozenset[str]
    until: float


def shown_by(sock: NativeTls | ssl.SSLSocket) -> ClientCertificate | None:
    """Return the certificate that a client showed; None where none was asked for."""
    if sock.context.verify_mode is ssl.CERT_NONE:
        return None
    found: Mapping[str, object] = sock.getpeercert() or {}
    until = found.get("notAfter")
    if not isinstance(until, str):
        return None
    names = found.get("subjectAltName", ())
    assert isinstance(names, Iterable)
    hosts = (host.lower() for kind, host in names if kind == "DNS" and "*" not in host)
    return ClientCertificate(frozenset(hosts), ssl.cert_time_to_seconds(until))


class CertificateContext(ssl.SSLContext):
    """The context of one certificate.

    `others` has the contexts of the other certificates by their names: a listener's context is the
    first certificate's, and knows all. It never holds itself there, for it would outlive every
    reload. `names` are the certificate's own; without any it is taken to speak for every host.
    """

    names: frozenset[str] = frozenset()
    others: dict[str, CertificateContext] = {}  # noqa: RUF012 - replaced, never changed
    checks_hosts = True
    _sealing = b""
    _opening: dict[bytes, bytes] = {}  # noqa: RUF012 - replaced, never changed

    def take_ticket_keys(self, keys: Sequence[bytes]) -> bool:
        """Seal tickets with the first of these keys, open those of each; forget all others.

        False when this Python hides its OpenSSL. Raises TicketKeyError.
        """
        # Each is installed once, so that none is met first in the middle of a handshake.
        for key in reversed(keys):
            if not install(self, key):
                return False
        self._sealing = keys[0]
        self._opening = {key[:NAME_BYTES]: key for key in keys[1:]}
        return True

    def has_other_key(self, name: bytes | None) -> bool:
        """Return whether a ticket that begins so was sealed with a key that only opens."""
        return name in self._opening

    def opening(self, name: bytes, step: Callable[[], _Result]) -> _Result:
        """Take the step of a handshake that opens a ticket sealed with the key of this name.

        What a later step seals is sealed with the first key again. Contexts belong to the thread of
        their loop, which does nothing else meanwhile.
        """
        key = self._opening.get(name)
        if key is None:  # forgotten since
            return step()
        exchange(self, key)
        try:
            return step()
        finally:
            exchange(self, self._sealing)

    def context_for(self, name: str | None) -> CertificateContext:
        """Return the context for the name that a client asked for: by the whole name, else by a
        wildcard for its leftmost label; this one when there is none.
        """
        if name is None:
            return self
        name = name.lower().rstrip(".")
        for wanted in (name, "*." + name.partition(".")[2]):
            if wanted in self.names:
                return self
            found = self.others.get(wanted)
            if found is not None:
                return found
        return self

    def speaks_for(self, host: str) -> bool:
        """Return whether the certificate covers this host (RFC 9525), an address among them."""
        return not self.checks_hosts or not self.names or _found(self.names, host)


def _found(names: frozenset[str], host: str) -> bool:
    """Return whether the host is among the names, or under a wildcard for its leftmost label."""
    host = host.lower().rstrip(".")
    if host in names:
        return True
    if host.startswith("[") or host.replace(".", "").isdigit():
        try:
            return str(ipaddress.ip_address(host.strip("[]"))) in names
        except ValueError:
            return False
    label, dot, parent = host.partition(".")
    return bool(label and dot) and "*." + parent in names
