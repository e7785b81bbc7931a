"""Where the edge listens: reading addresses, reserving them for all workers, opening them.

The supervisor holds each TCP address with a socket that is bound but does not listen, so that
nobody else takes it while workers come and go; each worker binds it again with SO_REUSEPORT. A
Unix socket listens in the supervisor and its descriptor is handed to every worker.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headrace.edge.channel import Binding
from headrace.errors import HeadraceError


class ListenError(HeadraceError):
    """An address cannot be listened on."""


class ListenerSettings(Protocol):
    """What of a config's listener matters here."""

    @property
    def address(self) -> str: ...
    @property
    def tls(self) -> bool: ...
    @property
    def backlog(self) -> int: ...
    @property
    def unix_mode(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A parsed address: `host` (without brackets) and `port`, or the `path` of a Unix socket.

    `[::]:80` takes IPv6 alone, so that `0.0.0.0:80` may stand beside it; `:80` takes both.
    """

    host: str
    port: int
    path: Path | None = None
    v6_only: bool = True

    @property
    def family(self) -> socket.AddressFamily:
        if self.path is not None:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET


def parse_listen_address(text: str) -> ListenAddress:
    """Read `127.0.0.1:80`, `[::]:80`, `:80` (every address) or `unix:/path`.

    Raise ListenError on anything else, names included: a listener is an address, not a name.
    """
    if text.startswith("unix:"):
        path = Path(text.removeprefix("unix:"))
        if not path.is_absolute():
            raise ListenError(f"listen address {text!r}: write a full path, as in unix:/run/x.sock")
        return ListenAddress("", 0, path)
    host, colon, port_text = text.rpartition(":")
    if not colon or not (port_text.isascii() and port_text.isdigit()) or int(port_text) > 65535:
        raise ListenError(f"listen address {text!r}: write address:port, as in 127.0.0.1:8080")
    if not host:
        return ListenAddress("::", int(port_text), v6_only=False)
    if host == "localhost":
        return ListenAddress("127.0.0.1", int(port_text))
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    family = socket.AF_INET6 if bare != host else socket.AF_INET
    try:
        socket.inet_pton(family, bare)
    except OSError as error:
        raise ListenError(
            f"listen address {text!r}: {host!r} is no IP address; an IPv6 address needs brackets, "
            "as in [::1]:8080, and a host name must be replaced by its address"
        ) from error
    return ListenAddress(bare, int(port_text))


def open_listener(binding: Binding) -> socket.socket:
    """In a worker: a listening, non-blocking TCP socket that shares its address with the others.

    Raise ListenError when the system refuses.
    """
    if binding.host is None:
        raise ListenError(f"{binding.address} is a Unix socket: its descriptor comes by message")
    address = ListenAddress(binding.host, binding.port, v6_only=binding.v6_only)
    sock = _bound(address, binding.address, reuse_port=True)
    try:
        sock.listen(binding.backlog)
    except OSError as error:
        sock.close()
        raise _refused(binding.address, error) from error
    sock.setblocking(False)
    return sock


@dataclass(slots=True)
class Reservation:
    """An address this server holds. `socket` listens only for a Unix address."""

    binding: Binding
    socket: socket.socket
    path: Path | None
    inode: int

    @property
    def url(self) -> str:
        """The address in use, as people write it: `https://127.0.0.1:8443`, `unix:/run/x`."""
        if self.path is not None:
            return f"unix:{self.path}"
        host = f"[{self.binding.host}]" if ":" in (self.binding.host or "") else self.binding.host
        return f"{'https' if self.binding.tls else 'http'}://{host}:{self.binding.port}"

    def release(self) -> None:
        """Let the address go; a Unix socket's file is removed unless someone replaced it."""
        self.socket.close()
        if self.path is not None:
            with contextlib.suppress(FileNotFoundError):
                if self.path.stat().st_ino == self.inode:
                    self.path.unlink()


def reserve(listener: ListenerSettings) -> Reservation:
    """Take one listener's address. Raise ListenError when it is in use or not allowed."""
    address = parse_listen_address(listener.address)
    if address.path is not None:
        return _reserve_unix(listener, address.path)
    if address.port:
        # SO_REUSEPORT alone would quietly share the port with another server of the same user.
        _bound(address, listener.address, reuse_port=False).close()
    sock = _bound(address, listener.address, reuse_port=True)
    binding = Binding(
        address=listener.address,
        host=address.host,
        port=sock.getsockname()[1],
        tls=listener.tls,
        backlog=listener.backlog,
        v6_only=address.v6_only,
    )
    return Reservation(binding, sock, None, 0)


def reserve_all(listeners: Iterable[ListenerSettings]) -> list[Reservation]:
    """Take every address or, when one is refused, none."""
    taken: list[Reservation] = []
    try:
        for listener in listeners:
            taken.append(reserve(listener))
    except ListenError:
        for reservation in taken:
            reservation.release()
        raise
    return taken


def _bound(address: ListenAddress, text: str, *, reuse_port: bool) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.v6_only))
        sock.bind((address.host, address.port))
    except OSError as error:
        sock.close()
        raise _refused(text, error) from error
    return sock


def _reserve_unix(listener: ListenerSettings, path: Path) -> Reservation:
    _remove_stale(path, listener.address)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        former_mask = os.umask(0o777 & ~listener.unix_mode)
        try:
            sock.bind(str(path))
        finally:
            os.umask(former_mask)
        sock.listen(listener.backlog)
        sock.setblocking(False)
        inode = path.stat().st_ino
    except OSError as error:
        sock.close()
        raise _refused(listener.address, error) from error
    binding = Binding(listener.address, None, 0, listener.tls, listener.backlog)
    return Reservation(binding, sock, path, inode)


def _remove_stale(path: Path, text: str) -> None:
    """Remove a socket file that nobody listens on any more; refuse one that is in use."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen on {text}: the file exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        result = probe.connect_ex(str(path))
    if result != errno.ECONNREFUSED:
        raise ListenError(f"cannot listen on {text}: another process listens there; stop it")
    path.unlink()


def _refused(text: str, error: OSError) -> ListenError:
    remedies = {
        errno.EADDRINUSE: "another process uses it: stop that process or choose another port",
        errno.EACCES: "not permitted: run with CAP_NET_BIND_SERVICE or choose a port above 1023",
        errno.EADDRNOTAVAIL: "this machine does not have that address",
        errno.ENOENT: "the directory does not exist: create it",
    }
    remedy = remedies.get(error.errno or 0, error.strerror or str(error))
    return ListenError(f"cannot listen on {text}: {remedy}")
