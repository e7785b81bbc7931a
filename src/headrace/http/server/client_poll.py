"""Waits for all client sockets of one worker, by an epoll of its own.

The event loop watches one descriptor, that epoll's, and hands over once for all that is ready. For
each socket it would keep a handle and a context, enter and leave that context for each event, and
make six or more calls of the kernel for a connection where one does.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

TURN_EVENTS = 128  # then the loop's other work has its turn
_IN, _OUT = select.EPOLLIN, select.EPOLLOUT
# An end and a fault are for whoever waits: reading or writing then says what it is.
_READABLE = _IN | select.EPOLLHUP | select.EPOLLERR
_WRITABLE = _OUT | select.EPOLLHUP | select.EPOLLERR

Callback = Callable[[], object]


class ClientPoll:
    """Calls back as long as a descriptor can be read from, or written to.

    Before a descriptor is closed it must be removed, or `closing` be told. No other process may
    hold it: the kernel forgets it only when the last one closes it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        loop.add_reader(self._epoll.fileno(), self._turn)

    def close(self) -> None:
        """Forget all descriptors; none can be added any more."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._readers.clear()
        self._writers.clear()

    def add_reader(self, descriptor: int, callback: Callback) -> None:
        """Call back whenever there is something to read, or the end has come."""
        if descriptor not in self._readers:
            self._widen(descriptor, _IN, self._writers)
        self._readers[descriptor] = callback

    def remove_reader(self, descriptor: int) -> None:
        """Call back for reading no more, if it was asked for."""
        if self._readers.pop(descriptor, None) is not None:
            self._narrow(descriptor, _OUT, self._writers)

    def add_writer(self, descriptor: int, callback: Callback) -> None:
        """Call back whenever there is space for more to write, or the other side is gone."""
        if descriptor not in self._writers:
            self._widen(descriptor, _OUT, self._readers)
        self._writers[descriptor] = callback

    def remove_writer(self, descriptor: int) -> None:
        """Call back for writing no more, if it was asked for."""
        if self._writers.pop(descriptor, None) is not None:
            self._narrow(descriptor, _IN, self._readers)

    def closing(self, descriptor: int) -> None:
        """Forget a descriptor that is closed next: then the kernel need not be asked to."""
        self._readers.pop(descriptor, None)
        self._writers.pop(descriptor, None)

    def report(self, error: Exception) -> None:
        """Tell of a fault in a callback, which is ours."""
        self._loop.call_exception_handler(
            {"message": "a callback of a client's connection failed", "exception": error}
        )

    def _widen(self, descriptor: int, events: int, others: dict[int, Callback]) -> None:
        if descriptor in others:
            self._epoll.modify(descriptor, _IN | _OUT)
        else:
            self._epoll.register(descriptor, events)

    def _narrow(self, descriptor: int, events: int, left: dict[int, Callback]) -> None:
        if descriptor in left:
            self._epoll.modify(descriptor, events)
        else:
            # The kernel reports a hang-up whatever is asked for, and would do so for ever.
            self._epoll.unregister(descriptor)

    def _turn(self) -> None:
        readers, writers = self._readers, self._writers
        for descriptor, events in self._epoll.poll(0, TURN_EVENTS):
            # One that was closed in this turn may have been given away again: its new owner finds
            # nothing to read, and waits on.
            try:
                if events & _READABLE and descriptor in readers:
                    readers[descriptor]()
                if events & _WRITABLE and descriptor in writers:
                    writers[descriptor]()
            except Exception as error:  # noqa: BLE001 - the others are to have their turn
                self.report(error)
