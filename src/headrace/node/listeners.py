"""Where a node listens: reserving addresses for all workers, and opening them in a worker.

The supervisor holds each TCP address with a socket that is bound but does not listen, so that
no one else takes it while workers come and go; each worker binds it again with SO_REUSEPORT. A
Unix socket listens in the supervisor and its descriptor is handed to every worker.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from headrace.config.addresses import TcpAddress, UnixAddress
from headrace.config.server import Listener
from headrace.errors import HeadraceError
from headrace.http.server.acceptor import Listener as OpenListener
from headrace.node.messages import Binding

IP_FREEBIND = 15  # Linux; the module `socket` has no name for it


class ListenError(HeadraceError):
    """An address cannot be listened on."""


def open_listener(binding: Binding) -> socket.socket:
    """Return a worker's listening, non-blocking TCP socket; it shares its address with the others.

    Raise ListenError when the system refuses.
    """
    if binding.host is None:
        raise ListenError(f"{binding.address} is a Unix socket: its descriptor comes by message")
    address = TcpAddress(binding.host, binding.port)
    sock = _bound(
        address,
        binding.address,
        v6_only=binding.v6_only,
        reuse_port=True,
        freebind=binding.freebind,
    )
    try:
        sock.listen(binding.backlog)
    except OSError as error:
        sock.close()
        raise _refused(binding.address, error) from error
    sock.setblocking(False)
    return sock


def open_listeners(
    bindings: Sequence[Binding],
    descriptors: Sequence[int],
    contexts: Mapping[str, ssl.SSLContext | None],
) -> dict[str, OpenListener]:
    """Listen on TCP addresses, in a worker, and take over Unix sockets: all or none.

    `contexts` are those for TLS by the authorities of clients.
    Return them by their bindings' names. Raises ListenError or OSError.
    """
    handed = iter(descriptors)
    opened: dict[str, OpenListener] = {}
    try:
        for binding in bindings:
            if binding.host is None:
                sock = socket.socket(fileno=next(handed))
                sock.setblocking(False)
            else:
                sock = open_listener(binding)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            chosen = contexts[binding.client_ca] if binding.tls else None
            opened[binding.name] = OpenListener(
                sock, binding.name, chosen, peers=binding.peers, backlog=binding.backlog
            )
    except (HeadraceError, OSError):
        for listener in opened.values():
            listener.sock.close()
        raise
    return opened


def close_descriptors(descriptors: Iterable[int]) -> None:
    """Close descriptors that came with a message and are not needed."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


@dataclass(slots=True, eq=False)
class ReservedAddress:
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


def reserve(listener: Listener) -> ReservedAddress:
    """Take one listener's address. Raise ListenError when it is in use or not allowed."""
    address = listener.parsed
    if isinstance(address, UnixAddress):
        return _reserve_unix(listener, address.path)
    text, v6_only, freebind = listener.address, listener.v6_only, listener.freebind
    if address.port:
        # SO_REUSEPORT alone would quietly share the port with another server of the same user.
        _bound(address, text, v6_only=v6_only, reuse_port=False, freebind=freebind).close()
    sock = _bound(address, text, v6_only=v6_only, reuse_port=True, freebind=freebind)
    binding = Binding(
        address=listener.address,
        host=address.host,
        port=sock.getsockname()[1],
        tls=listener.tls,
        backlog=listener.backlog,
        v6_only=v6_only,
        peers=listener.peers,
        client_ca=str(listener.client_ca or ""),
        freebind=freebind,
    )
    return ReservedAddress(binding, sock, None, 0)


def reserve_all(listeners: Iterable[Listener]) -> list[ReservedAddress]:
    """Take every address or, when one is refused, none."""
    taken: list[ReservedAddress] = []
    try:
        for listener in listeners:
            taken.append(reserve(listener))
    except ListenError:
        for reservation in taken:
            reservation.release()
        raise
    return taken


def rebind(
    held: Sequence[ReservedAddress], listeners: Iterable[Listener]
) -> tuple[list[ReservedAddress], list[ReservedAddress]]:
    """Return the reservations for a new set of listeners, and those of them that are new.

    An address that is held already is kept, with its socket (and its port, where the config says
    0). Raise ListenError when a new address cannot be had; then no new one is held.
    """
    free = list(held)
    kept: dict[int, ReservedAddress] = {}
    wanted = list(listeners)
    for place, listener in enumerate(wanted):
        known = next((one for one in free if one.binding.address == listener.address), None)
        if known is not None:
            free.remove(known)
            kept[place] = replace(known, binding=_changed(known.binding, listener))
    missing = [place for place in range(len(wanted)) if place not in kept]
    added = reserve_all(wanted[place] for place in missing)
    by_place = kept | dict(zip(missing, added, strict=True))
    return [by_place[place] for place in range(len(wanted))], added


def _changed(binding: Binding, listener: Listener) -> Binding:
    return Binding(
        binding.address, binding.host, binding.port, listener.tls, listener.backlog,
        v6_only=binding.v6_only, peers=listener.peers, client_ca=str(listener.client_ca or ""),
        freebind=listener.freebind,
    )  # fmt: skip


def _bound(
    address: TcpAddress, text: str, *, v6_only: bool, reuse_port: bool, freebind: bool
) -> socket.socket:
    family = socket.AF_INET6 if address.is_v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.is_v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6_only))
        if freebind:
            sock.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)  # of IPv6 sockets too
        sock.bind((address.host, address.port))
    except OSError as error:
        sock.close()
        raise _refused(text, error) from error
    return sock


def _reserve_unix(listener: Listener, path: Path) -> ReservedAddress:
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
    binding = Binding(
        listener.address, None, 0, listener.tls, listener.backlog,
        peers=listener.peers, client_ca=str(listener.client_ca or ""),
    )  # fmt: skip
    return ReservedAddress(binding, sock, path, inode)


def _remove_stale(path: Path, text: str) -> None:
    """Remove a socket file that no one listens on any more; refuse one that is in use."""
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
        errno.EADDRNOTAVAIL: "this machine does not have that address; where it comes later, as a "
        "VIP does, set freebind",
        errno.ENOENT: "the directory does not exist: create it",
    }
    remedy = remedies.get(error.errno or 0, error.strerror or str(error))
    return ListenError(f"cannot listen on {text}: {remedy}")
