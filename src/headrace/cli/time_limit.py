"""A bound for how long a node may take for a whole answer: one that sends a byte a second meets
every limit for silence, and would hold a command for hours.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def limited(sock: socket.socket, within_s: float) -> Iterator[None]:
    """Cut a connection when what is done with it takes longer. Raises TimeoutError."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(within_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            raise TimeoutError("the answer takes too long") from error
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError("the answer takes too long")
