"""The supervisor's part in session tickets: hands the secrets of the periods to the workers.

A file that servers share is read again when it changes. Workers, whom strangers can reach, never
get what is in it: only what opens the tickets of three periods.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import structlog

from headrace.config.exposed_files import exposure
from headrace.config.ticket_secrets import (
    TicketSecret,
    none_in_force,
    of_period,
    period_at,
    read_ticket_secrets,
)
from headrace.errors import HeadraceError
from headrace.http.server.ticket_keys import KEYS_CANNOT_BE_SET, keys_can_be_set
from headrace.node.channel import Channel
from headrace.node.messages import TakeTicketSecrets
from headrace.node.network.files import Signature, signature_of
from headrace.node.tickets.periods import OwnSecrets, SharedSecrets, secrets_at

CHECK_S = 2.0

log = structlog.get_logger("headrace.tickets")


class TicketSecretsError(HeadraceError):
    """The file with the secrets cannot be used."""


class Receiver(Protocol):
    """A worker, as far as this goes."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class SecretsFile:
    """A file of secrets as it was read; without a path there is none."""

    path: Path | None
    seen: Signature | None
    secrets: tuple[TicketSecret, ...]


NO_FILE = SecretsFile(None, None, ())


class TicketKeeper:
    """The secrets of one node: those of a file, or random ones while none is named."""

    def __init__(
        self,
        everyone: Callable[[], Iterable[Receiver]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Hand the secrets to `everyone`, whenever they change."""
        self._everyone = everyone
        self._clock = clock
        self._own = OwnSecrets()
        self._file = NO_FILE
        self._sent: tuple[bytes, ...] = ()
        self._logged = ""
        self.use(NO_FILE)

    @property
    def id_in_force(self) -> str:
        """What tells the shared secret that is in force from others; "" for random ones."""
        found = of_period(self._file.secrets, period_at(self._clock()))
        return "" if found is None else found.id

    def read(self, path: Path | None) -> SecretsFile:
        """Return what a file says, for `use`; None: random secrets. Raises TicketSecretsError."""
        if path is None:
            return NO_FILE
        seen = signature_of(path)
        try:
            found = read_ticket_secrets(path)
        except ValueError as error:
            raise TicketSecretsError(f"{path}: {error}") from error
        problem = none_in_force(found, self._clock())
        if problem:
            raise TicketSecretsError(f"{path}: {problem}")
        if not keys_can_be_set():
            raise TicketSecretsError(f"{path}: {KEYS_CANNOT_BE_SET}")
        return SecretsFile(path, seen, found)

    def use(self, file: SecretsFile) -> None:
        """Make keys of these secrets from now on, and follow their file."""
        now, before = self._clock(), self._logged
        self._file = file
        self._own.forget(now)
        found = secrets_at(now, SharedSecrets(file.secrets) if file.secrets else self._own)
        if found == self._sent or not found:
            return  # () after the clock was set back: what is in force stays
        self._sent, self._logged = found, self.id_in_force
        if self._logged not in ("", before):
            log.info("ticket_secret_in_force", secret=self._logged)
        for worker in self._everyone():
            self.welcome(worker)

    def welcome(self, worker: Receiver) -> None:
        """Tell a worker; a new one before its configuration."""
        worker.channel.send(TakeTicketSecrets(list(self._sent)))

    async def follow(self) -> None:
        """Follow clock and file, as long as it runs."""
        while True:
            await asyncio.sleep(CHECK_S)
            self.step()

    def step(self) -> None:
        """Read the file again if it is another one, and begin the next period if it is time."""
        self.use(self._read_again(self._file))

    def _read_again(self, file: SecretsFile) -> SecretsFile:
        """Return what the file says now; a lost one, or one of no use, says what it said before."""
        path = file.path
        seen = None if path is None else signature_of(path)
        if path is None or seen is None or seen == file.seen:
            return file
        try:
            found = self.read(path)
        except TicketSecretsError as error:
            log.error("ticket_secrets_refused", problem=str(error))
            return replace(file, seen=seen)
        exposed = exposure(path)
        if exposed is not None:
            log.warning("secret_file_exposed", file=str(path), problem=str(exposed))
        return found
