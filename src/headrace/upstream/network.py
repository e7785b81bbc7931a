"""What this package needs of a network: connections to origins that carry bytes. Only Protocols.

Everything above it (client, retries, failover) runs the same over sockets (`sockets`), in a test's
memory, or in a simulation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from headrace.upstream.endpoint import Endpoint


class Stream(Protocol):
    """One connection, plain or TLS. Not safe for two readers or two writers at once."""

    @property
    def peer(self) -> str:
        """Return the other side's address; empty when it is not known any more."""

    async def recv_into(self, buffer: memoryview, timeout_s: float) -> int:
        """Read at least one byte into `buffer`; 0 at the end of the stream.

        `buffer` must not be touched while this waits: all responses of a worker share one.
        Raises StreamTimeout after `timeout_s` without a byte, OSError when the connection breaks.
        """

    async def send_all(self, data: bytes | memoryview, timeout_s: float) -> None:
        """Send everything; `timeout_s` bounds each wait for room, not the whole.

        Raises StreamTimeout, OSError.
        """

    def send_now(self, data: bytes) -> int:
        """Send what there is room for at once; return how much that was. Raises OSError."""

    def recv_now(self, buffer: memoryview) -> int | None:
        """Read what is there; 0 at the end of the stream, None when nothing has come. Raises
        OSError.
        """

    def when_readable(self, then: Callable[[bool], None], timeout_s: float) -> None:
        """Call `then` once, later: with True when there may be something to read, or this was
        closed; with False after `timeout_s`. `stop_waiting` before anyone else reads.
        """

    def stop_waiting(self) -> None:
        """Forget whom `when_readable` was to call."""

    def idle_and_alive(self) -> bool:
        """Return whether the connection is still open with nothing unexpected to read."""

    def close(self) -> None:
        """Close at once. Whoever waits gets ConnectionError. Idempotent."""


class Network(Protocol):
    """Connects to origins by name."""

    async def connect(self, endpoint: Endpoint, limit_s: float) -> Stream:
        """Return a connection to an origin, with TLS done if it asks for it.

        Resolving, connecting and TLS may take `limit_s` each. Raises OriginError.
        """

    def moved(self, endpoint: Endpoint, stream: Stream) -> bool:
        """Return whether the origin's name leads elsewhere by now than this connection."""
