"""Hands description and view to the workers: to each new one before anything else, to all when one
of the two changes.

A worker answers, and gets nothing new before: one that hangs holds one message, however often the
view changes meanwhile. What it missed it never gets, only the newest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

import msgspec
import structlog

from headrace.node.channel import Channel
from headrace.node.messages import NetworkTaken, TakeNetwork
from headrace.node.network.compiling import SealedFile
from headrace.topology.view import NO_VIEW, View
from headrace.topology.view_codec import encode_taken

log = structlog.get_logger("headrace.network")


class Receiver(Protocol):
    """A worker, as far as this goes."""

    number: int
    channel: Channel
    network_taken: Callable[[NetworkTaken], None] | None


@dataclass(slots=True)
class _Told:
    """What a worker was told last: the number of the state, and the description in it."""

    number: int = 0
    file: SealedFile | None = None
    waits: bool = False
    """Whether its answer has not come yet."""


class Sharing:
    """The state that all workers are to have; its number grows with every change."""

    def __init__(self, file: SealedFile, view: View = NO_VIEW) -> None:
        self._file = file
        self._number = 1
        self._view = _wire(view)
        self._told: WeakKeyDictionary[Receiver, _Told] = WeakKeyDictionary()

    def welcome(self, worker: Receiver) -> None:
        """Tell a new worker, to which nothing has been said yet."""
        told = self._told[worker] = _Told()
        worker.network_taken = lambda answer: self._taken(worker, told, answer)
        self._tell(worker, told)

    def share(self, file: SealedFile | None = None, view: View | None = None) -> None:
        """Tell all workers what has changed."""
        if file is not None:
            self._file = file
        if view is not None:
            self._view = _wire(view)
        self._number += 1
        for worker, told in list(self._told.items()):
            if not told.waits:
                self._tell(worker, told)

    @property
    def behind(self) -> int:
        """How many workers have not said yet that they work by the newest state."""
        return sum(
            1
            for worker, told in self._told.items()
            if not worker.channel.closed and (told.waits or told.number != self._number)
        )

    def _tell(self, worker: Receiver, told: _Told) -> None:
        if worker.channel.closed:
            return
        new_file = self._file is not told.file
        told.number, told.file, told.waits = self._number, self._file, True
        message = TakeNetwork(self._number, self._view, description=new_file)
        # `told` keeps the file open until the channel has sent it.
        worker.channel.send(message, [self._file.descriptor] if new_file else [])

    def _taken(self, worker: Receiver, told: _Told, answer: NetworkTaken) -> None:
        if answer.number != told.number:
            return
        told.waits = False
        if answer.problem:
            log.error("network_not_adopted", worker=worker.number, problem=answer.problem)
        if told.number != self._number:
            self._tell(worker, told)


def _wire(view: View) -> msgspec.Raw:
    return msgspec.Raw(b"null" if view is NO_VIEW else encode_taken(view))
