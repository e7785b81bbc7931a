"""Who this server is in its network, and whether another one is who it says it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from headrace.config.peer_secrets import read_secrets
from headrace.edge.peers.clocks import Clocks
from headrace.errors import HeadraceError
from headrace.http.client_network import network_of
from headrace.http.fields import PEER_FIELD
from headrace.http.message import Field
from headrace.http.parser import RequestHead
from headrace.http.server.tls_context import ClientCertificate
from headrace.topology.model import Topology
from headrace.upstream.peering import (
    Peer,
    PeerRefusal,
    PeerSecrets,
    PurgeTimes,
    later,
    sign,
    verify,
)

log = structlog.get_logger()

PEER_PREFIX: Final = "server "

Sign = Callable[[bytes, bytes, bytes, float], list[Field]]
"""Returns the fields of a request to another server, by its method, host and target, and now."""


class BadSecrets(HeadraceError):
    """A file of secrets that cannot be used."""


def secrets_of(path: Path) -> PeerSecrets:
    """Return the secrets of a file. Raises BadSecrets."""
    try:
        return PeerSecrets(read_secrets(path))
    except ValueError as error:
        raise BadSecrets(f"{path}: {error}") from error


def charged_to(peer: Peer | None, address: str) -> str:
    """Return whom the work for a request is charged to: a server by its name, else the client's
    network. No address looks like a server.
    """
    return network_of(address) if peer is None else PEER_PREFIX + peer.name


class Membership:
    """One worker's knowledge of its network. Without one no server is believed, and none asked."""

    def __init__(self) -> None:
        self.server = ""
        self.site = ""
        self.secrets = PeerSecrets()
        self.certified = False  # we show a certificate to whoever asks for one
        self._sites: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._at: dict[str, str] = {}
        self._clocks = Clocks()
        self._path: Path | None = None
        self._seen: tuple[int, int, int] | None = None

    @property
    def active(self) -> bool:
        """Whether other servers can be asked: they will know who asks."""
        return bool(self.site and (self.secrets or self.certified))

    def adopt(self, topology: Topology, server: str) -> None:
        """Take a description of the network from now on. A server that it does not have, this one
        included, is none of it.
        """
        self._sites = {each.name: each.site for each in topology.servers}
        self._hosts = {each.name: each.host.lower() for each in topology.servers}
        self._at = {
            str(address): each.name
            for each in topology.servers
            for address in (*each.ipv4, *each.ipv6)
        }
        self._clocks.retain(frozenset(self._sites))
        self.server = server
        self.site = self._sites.get(server, "")

    def use(self, path: Path | None, secrets: PeerSecrets) -> None:
        """Take the secrets that were read from a file, which is watched from now on."""
        self._path = path
        self._seen = None if path is None else _mark(path)
        self.secrets = secrets

    def look_at_secrets(self) -> None:
        """Read the file again if it has changed; a bad one leaves the secrets as they are."""
        path = self._path
        if path is None:
            return
        mark = _mark(path)
        if mark == self._seen:
            return
        self._seen = mark
        try:
            self.secrets = secrets_of(path)
        except BadSecrets as error:
            log.error("peer_secrets_refused", problem=str(error))
            return
        log.info("peer_secrets_changed", secrets=len(self.secrets.secrets))

    def recognised(
        self, head: RequestHead, now: float, certificate: ClientCertificate | None = None
    ) -> Peer | PeerRefusal:
        """Return which server asks, or why it is not believed. The request has the field.

        A `certificate` that it had to show says who it is, and makes a signature needless.
        """
        if not self.site or (certificate is None and not self.secrets):
            return PeerRefusal.UNEXPECTED
        values = head.headers.all(PEER_FIELD)
        found = verify(
            self.secrets, head.method, head.host or b"", head.target, values, now,
            certified=certificate is not None,
        )  # fmt: skip
        if isinstance(found, PeerRefusal):
            return found
        peer = found.peer
        if self._sites.get(peer.name) != peer.site or peer.name == self.server:
            return PeerRefusal.UNKNOWN
        if certificate is not None and (
            self._hosts[peer.name] not in certificate.hosts or now > certificate.until
        ):
            return PeerRefusal.CERTIFICATE
        behind_s = self._clocks.behind_s(peer.name, found.at, now)
        return replace(peer, purges=later(peer.purges, behind_s, now))

    def server_at(self, address: str) -> str | None:
        """Return which server of the network has this address; None for nobody's."""
        return self._at.get(address)

    def signer(self, asked_by: Peer | None, purges: PurgeTimes, *, secure: bool = False) -> Sign:
        """Return what signs requests that are made for one: `asked_by` is the server that asks for
        it, None for a client; `purges` are all that are known of. `secure`: it is asked by https.
        """
        hops = 1 if asked_by is None else asked_by.hops + 1
        asker = Peer(self.server, self.site, hops, purges, secure)
        secrets = self.secrets  # a body may be continued when there are none any more

        def signed(method: bytes, host: bytes, target: bytes, now: float) -> list[Field]:
            return sign(secrets, method, host, target, asker, now)

        return signed


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
