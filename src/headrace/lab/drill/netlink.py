"""The kernel's routes to some addresses in a namespace, as they change, with the time of each.

`ip monitor route` writes the same for people, with times of another clock.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator

from headrace.lab.drill.moves import Move, Route, Routes
from headrace.lab.errors import LabError
from headrace.lab.namespaces.enter import inside

_NETLINK_ROUTE = 0
_GROUP_V4, _GROUP_V6 = 0x40, 0x400
_DONE, _ERROR, _NEW, _DEL, _GET = 3, 2, 24, 25, 26
_REQUEST, _MULTI, _DUMP, _REPLACE = 0x1, 0x2, 0x300, 0x100
_TO, _GATEWAY, _VIA = 1, 5, 18
_MAIN_TABLE, _UNICAST = 254, 1
_HEAD = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_BUFFER_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_WITHIN_S = 5.0


class RouteWatch:
    """Follows a namespace's routes from the moment it is made. Use as a context manager."""

    def __init__(self, namespace: str, servers: dict[str, str], vips: Iterable[str]) -> None:
        """Begin; `servers` are by the address that routes lead to. Raises LabError."""
        self._routes = Routes(servers, vips)
        self._lock = threading.Lock()
        self._lost = False
        self._ended = False
        try:
            self._socket = inside(namespace, _open)
            self._read_present()
        except OSError as error:
            raise LabError(f"the routes of {namespace}: {error.strerror or error}") from None
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def __enter__(self) -> RouteWatch:
        """Return it."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End it."""
        self._ended = True
        self._thread.join()
        self._socket.close()

    def moves(self) -> list[Move]:
        """Return every change until now, those of the beginning first. Raises LabError when the
        kernel had more to say than could be read.
        """
        with self._lock:
            if self._lost:
                raise LabError("the kernel changed more routes than could be followed")
            return list(self._routes.moves)

    def now(self) -> dict[str, str]:
        """Return which server each VIP goes to."""
        with self._lock:
            return self._routes.now()

    def _read_present(self) -> None:
        for number, family in enumerate((socket.AF_INET, socket.AF_INET6), 1):
            body = _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
            size = _HEAD.size + len(body)
            self._socket.send(_HEAD.pack(size, _GET, _REQUEST | _DUMP, number, 0) + body)
            until_s = time.monotonic() + _WITHIN_S
            while not self._take(number):
                if time.monotonic() > until_s:
                    raise TimeoutError("no end")

    def _follow(self) -> None:
        while not self._ended:
            try:
                self._take(None)
            except OSError:
                with self._lock:
                    self._lost = True

    def _take(self, dump: int | None) -> bool:
        """Read what there is; return whether the dump of that number has ended."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except TimeoutError:
            return False
        now_s = time.monotonic()
        with self._lock:
            for kind, flags, number, body in messages(data):
                if kind in (_DONE, _ERROR) and number == dump:
                    return True
                route = read_route(kind, body)
                if route is None:
                    continue
                if kind == _NEW and flags & _REPLACE and not flags & _MULTI:
                    self._routes.replaced(route, now_s)
                else:
                    self._routes.heard(route, now_s)
        return False


def _open() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    made.settimeout(0.1)
    made.bind((0, _GROUP_V4 | _GROUP_V6))
    return made


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield the messages of a datagram: kind, flags, number and body."""
    place = 0
    while place + _HEAD.size <= len(data):
        size, kind, flags, number, _port = _HEAD.unpack_from(data, place)
        if size < _HEAD.size or place + size > len(data):
            return
        yield kind, flags, number, data[place + _HEAD.size : place + size]
        place += (size + 3) & ~3


def read_route(kind: int, body: bytes) -> Route | None:
    """Return the route that a message tells of, if it is one to a prefix by a next hop."""
    if kind not in (_NEW, _DEL) or len(body) < _ROUTE.size:
        return None
    family, length, _from, _tos, table, _by, _scope, sort, _flags = _ROUTE.unpack_from(body)
    if family not in (socket.AF_INET, socket.AF_INET6) or table != _MAIN_TABLE or sort != _UNICAST:
        return None
    found = dict(_attributes(body[_ROUTE.size :]))
    if _TO not in found:
        return None
    gateway = found.get(_GATEWAY) or found.get(_VIA, b"")[2:]
    via = str(ipaddress.ip_address(gateway)) if len(gateway) in (4, 16) else ""
    if not via and kind == _NEW:
        return None
    try:
        prefix = ipaddress.ip_network((found[_TO], length))
    except ValueError:
        return None
    return Route(prefix, via, gone=kind == _DEL)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, place)
        if size < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[place + _ATTRIBUTE.size : place + size]
        place += (size + 3) & ~3
