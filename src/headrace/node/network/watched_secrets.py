"""The file with the secrets of the network, read again when it changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from headrace.config.peer_secrets import read_secrets
from headrace.errors import HeadraceError
from headrace.node.network.files import Signature, signature_of
from headrace.node.network.signed import Secrets

WATCH_S = 2.0

log = structlog.get_logger("headrace.network")


class BadSecrets(HeadraceError):
    """A file of secrets that cannot be used."""


class WatchedSecrets:
    """The secrets in force; a bad file leaves them as they are. `key` is what the configuration
    names the file by.
    """

    def __init__(self, path: Path | None, key: str = "secret_file") -> None:
        """Read them. Raises BadSecrets."""
        self._path = path
        self._seen: Signature | None = None
        self.secrets: Secrets = ()
        if path is not None:
            self._seen = signature_of(path)
            try:
                self.secrets = read_secrets(path)
            except ValueError as error:
                raise BadSecrets(f"{key} {path}: {error}") from error

    def look(self) -> None:
        """Read the file again if it has changed."""
        if self._path is None or (found := signature_of(self._path)) == self._seen:
            return
        self._seen = found
        try:
            self.secrets = read_secrets(self._path)
        except ValueError as error:
            log.error("secrets_refused", file=str(self._path), problem=str(error))
            return
        log.info("secrets_changed", secrets=len(self.secrets))

    async def watch(self) -> None:
        """Read the file again whenever it changes, until it is cancelled."""
        while True:
            await asyncio.sleep(WATCH_S)
            await asyncio.to_thread(self.look)
