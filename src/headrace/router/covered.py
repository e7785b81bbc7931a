"""Whether a TLS connection's certificate speaks for the host that is asked for."""

from __future__ import annotations

from headrace.http.hosts import host_of
from headrace.http.parser import BadRequest
from headrace.http.server.exchange import Exchange


def check_covered(exchange: Exchange, authority: bytes) -> None:
    """Note that the certificate of this TLS connection speaks for a host. Raises BadRequest."""
    host = host_of(authority).decode("latin-1")
    if host and not exchange.certificate_covers(host):
        raise BadRequest(421, "this connection's certificate does not cover the host")
    exchange.covered = authority
