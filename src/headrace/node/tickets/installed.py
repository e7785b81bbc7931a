"""The keys that a worker has for session tickets, in every context that it shows to clients."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from headrace.http.server.tls_context import CertificateContext
from headrace.node.tickets.periods import key_of


class InstalledKeys:
    """Keys of the contexts, made of the secrets that the supervisor has sent last."""

    def __init__(self) -> None:
        self._secrets: tuple[bytes, ...] = ()
        self._contexts: WeakKeyDictionary[CertificateContext, bytes] = WeakKeyDictionary()

    def __len__(self) -> int:
        """Return how many contexts there are."""
        return len(self._contexts)

    def take(self, secrets: Sequence[bytes]) -> None:
        """Seal with the first of these secrets from now on, and open with each."""
        self._secrets = tuple(secrets)
        for context, fingerprint in list(self._contexts.items()):
            self._install(context, fingerprint)

    def give(self, context: CertificateContext, fingerprint: bytes) -> None:
        """Have this context of a certificate follow, as long as it lives."""
        self._contexts[context] = fingerprint
        self._install(context, fingerprint)

    def _install(self, context: CertificateContext, fingerprint: bytes) -> None:
        if not self._secrets:
            return  # OpenSSL's own random key
        context.take_ticket_keys([key_of(secret, fingerprint) for secret in self._secrets])
