"""How much of what was sent has reached the other side, as the kernel knows it."""

from __future__ import annotations

import array
import fcntl
import termios

_SIOCOUTQ = termios.TIOCOUTQ


def unacknowledged_bytes(descriptor: int) -> int:
    """Bytes in the socket's send queue that the peer has not acknowledged; 0 if unknown."""
    answer = array.array("i", [0])
    try:
        fcntl.ioctl(descriptor, _SIOCOUTQ, answer)
    except OSError:
        return 0
    return answer[0]
