"""Lets the kernel take packets from a device whose senders it would answer by another one.

That is `net.ipv4.conf.<device>.rp_filter = 2`, said by netlink: a unit that may not write to
`/proc/sys` may do this.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

WITHIN_S = 2.0
LOOSE = 2
_RTM_SETLINK, _REQUEST_ACK = 19, 0x5
_NLMSG_ERROR = 2
_NESTED = 0x8000
_IFLA_AF_SPEC, _IFLA_INET_CONF, _RP_FILTER = 26, 1, 8
_HEADER, _IFINFO = struct.Struct("=IHHII"), struct.Struct("=BxHiII")
_ERROR = struct.Struct("=IHHIIi")


def loosen(device: str) -> None:
    """Do it. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as channel:
        channel.settimeout(WITHIN_S)
        channel.bind((0, 0))
        channel.send(message(socket.if_nametoindex(device)))
        answer = channel.recv(8192)
    if len(answer) < _ERROR.size:
        raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
    *_head, kind, _flags, _sequence, _port, code = _ERROR.unpack_from(answer)
    if kind != _NLMSG_ERROR or code:
        raise OSError(-code, os.strerror(-code))


def message(index: int) -> bytes:
    """Return the request for a device's number."""
    value = _attribute(_RP_FILTER, struct.pack("=I", LOOSE))
    conf = _attribute(_IFLA_INET_CONF | _NESTED, value)
    family = _attribute(socket.AF_INET | _NESTED, conf)
    body = _IFINFO.pack(0, 0, index, 0, 0) + _attribute(_IFLA_AF_SPEC | _NESTED, family)
    return _HEADER.pack(_HEADER.size + len(body), _RTM_SETLINK, _REQUEST_ACK, 1, 0) + body


def _attribute(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + b"\0" * (-length % 4)
