"""A network device as a relay has it: all of its frames, and when each came.

Frames come with what the kernel knows of their checksums and segments. It can say that of TCP, and
of nothing that is wrapped once more, as in a tunnel: `divide_early` is for who sends such. A VLAN's
tag is not in the frame any more, so frames that had one are not taken: they would leave without.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import socket
import struct
import time
from pathlib import Path

SOCKET_BYTES = 32 * 1024 * 1024
"""The kernel counts a small frame as some 2 KiB: 16,000 of them may wait for this process."""
FRAME_BYTES = 65535 + 64
"""What is larger is not taken whole: the kernel joins no more, unless somebody has told it to."""
_MOST_WAITED_S = 10.0
_SIOCGSTAMPNS = 0x8907
_TIMESPEC = struct.Struct("qq")
_ALL_PROTOCOLS = 0x0003
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_VNET_HDR = 263, 6, 15
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE, _SO_ATTACH_FILTER = 33, 32, 26
_SIOCETHTOOL, _IFNAMSIZ, _IFREQ_BYTES = 0x8946, 16, 40
_SET_GRO, _GET_NAMES, _SET_FEATURES, _COUNT_NAMES = 0x2C, 0x1B, 0x3B, 0x37
_FEATURES, _NAME_BYTES = 4, 32
_KEPT = ("tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-ecn-segmentation")
"""What a relay can take undivided."""

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_PACKET_TYPE, _HAS_TAG = 0xFFFFF000 + 4, 0xFFFFF000 + 48
_FILTER = (
    (_LOAD, 0, 0, _PACKET_TYPE),
    (_EQUAL, 3, 0, socket.PACKET_OUTGOING),
    (_LOAD, 0, 0, _HAS_TAG),
    (_EQUAL, 0, 1, 0),
    (_RETURN, 0, 0, 0xFFFFFFFF),
    (_RETURN, 0, 0, 0),
)


def open_device(name: str) -> socket.socket:
    """Return a socket with all frames that come to a device. Raises OSError."""
    # Of no protocol until it is bound: it would have the frames of other devices until then.
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    for option in (_SO_RCVBUFFORCE, _SO_SNDBUFFORCE):
        with contextlib.suppress(PermissionError):
            made.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)
    _only_incoming(made)
    made.bind((name, _ALL_PROTOCOLS))
    made.setblocking(False)
    join_segments(made, name)
    # It has no addresses, and would answer to what is for everybody all the same.
    with contextlib.suppress(OSError):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    return made


def _only_incoming(end: socket.socket) -> None:
    code = b"".join(struct.pack("HBBI", *one) for one in _FILTER)
    kept = ctypes.create_string_buffer(code)
    program = struct.pack("HP", len(_FILTER), ctypes.addressof(kept))
    end.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def join_segments(any_socket: socket.socket, device: str) -> None:
    """Let the kernel join segments of TCP before this process has them, up to 64 KiB. A line's rate
    divides what servers send into single segments: ten times the frames, each of which costs the
    same. Where the device cannot, they stay single.
    """
    with contextlib.suppress(OSError):
        _ethtool(any_socket, device, struct.pack("II", _SET_GRO, 1))


def divide_early(device: str) -> None:
    """Let the kernel divide what it sends by a device of this namespace before the relay has it,
    but for plain TCP. Where the device cannot, a relay loses it, and counts that.
    """
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket,
    ):
        asked = struct.pack("IIQI", _COUNT_NAMES, 0, 1 << _FEATURES, 0)
        count = struct.unpack("IIQI", _ethtool(any_socket, device, asked))[3]
        asked = struct.pack("III", _GET_NAMES, _FEATURES, count) + bytes(count * _NAME_BYTES)
        text = _ethtool(any_socket, device, asked)[12:]
        blocks = -(-count // 32)
        valid = [0] * blocks
        for index in range(count):
            name = (
                text[index * _NAME_BYTES : (index + 1) * _NAME_BYTES].partition(b"\0")[0].decode()
            )
            if name.startswith("tx-") and "segmentation" in name and name not in _KEPT:
                valid[index // 32] |= 1 << index % 32
        pairs = b"".join(struct.pack("II", block, 0) for block in valid)
        _ethtool(any_socket, device, struct.pack("II", _SET_FEATURES, blocks) + pairs)


def _ethtool(any_socket: socket.socket, device: str, command: bytes) -> bytes:
    value = ctypes.create_string_buffer(command, len(command))
    request = struct.pack(f"{_IFNAMSIZ}sP", device.encode(), ctypes.addressof(value))
    fcntl.ioctl(any_socket, _SIOCETHTOOL, request.ljust(_IFREQ_BYTES, b"\0"))
    return value.raw


def dropped(end: socket.socket) -> int:
    """Return how many frames the kernel had no room for since this was asked last."""
    answer = end.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    _packets, drops = struct.unpack("II", answer)
    return int(drops)


def waited(end: socket.socket) -> float:
    """Return for how many seconds the frame that was taken last had been there. 0 where the kernel
    does not say, as of the first.
    """
    try:
        stamp = fcntl.ioctl(end, _SIOCGSTAMPNS, bytes(_TIMESPEC.size))
    except OSError:
        return 0.0
    seconds, nanoseconds = _TIMESPEC.unpack(stamp)
    waited_s = (time.time_ns() - seconds * 1_000_000_000 - nanoseconds) / 1e9
    return waited_s if 0 < waited_s < _MOST_WAITED_S else 0.0
