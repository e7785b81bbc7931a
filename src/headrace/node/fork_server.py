"""A process that has imported what a worker needs and forks workers from itself.

The imports of a worker take half a second of processor time. Here they are paid for once: the
command forks this process before it has read any file, so that no secret of the supervisor is in
a worker's memory, and the supervisor asks it for workers from then on. They share the pages of the
modules, start in milliseconds, and run the code that the supervisor runs, whatever has been
installed since.

This is the far side. The supervisor's is `forks`. The two talk over a pair of sockets that keep
packets apart: a number with the worker's end of its channel one way; what came of it, with a
descriptor of the new process, and how processes ended, the other.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import importlib
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, NoReturn

_REQUEST = struct.Struct("!Iqq")
_REPORT = struct.Struct("!BIIi")
REPORT_BYTES = _REPORT.size

SERVER_NAME = "headrace-forks"
WORKER_NAME = "headrace-worker"
"""What `ps -o comm` calls these processes; the kernel keeps fifteen characters."""

LEFT_TO_THE_SUPERVISOR = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM)
"""Signals that a terminal or a service manager sends to all; only the supervisor acts on them."""


class Kind(IntEnum):
    """What a report says."""

    FORKED = 1
    """The request `number` has its process, `pid`; a descriptor of the process comes with it."""
    FAILED = 2
    """The request `number` failed with the system's error `value`."""
    ENDED = 3
    """The process `pid` ended; `value` is its exit code, or less than 0: the signal."""


class Told(NamedTuple):
    """A report of the fork server."""

    kind: Kind
    number: int
    pid: int
    value: int

    def encode(self) -> bytes:
        """Return it as a packet."""
        return _REPORT.pack(*self)

    @classmethod
    def decode(cls, packet: bytes) -> Told:
        """Return what a packet says."""
        kind, number, pid, value = _REPORT.unpack(packet)
        return cls(Kind(kind), number, pid, value)


def encode_request(number: int, descriptor_limits: tuple[int, int]) -> bytes:
    """Return the packet that asks for a process with these limits (soft, hard) of descriptors; the
    descriptor of its channel goes with it.
    """
    return _REQUEST.pack(number, *descriptor_limits)


@dataclass(frozen=True, slots=True)
class ForkServer:
    """The supervisor's hold on a fork server: its end of the socket, and the process's id."""

    sock: socket.socket
    pid: int


def begin_fork_server(module: str) -> ForkServer | None:
    """Fork a server of workers, whose `module` has `serve(descriptor) -> exit code`.

    To be called early: what the process has now, each worker has. Return None where the system
    cannot tell when a process ends by a descriptor of it (Linux before 5.3, some sandboxes), or
    gives no process. In the fork server and in workers this never returns.
    """
    serve: Callable[[int], int] = importlib.import_module(module).serve
    try:
        os.close(os.pidfd_open(os.getpid()))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        return None
    # What exists now are modules, which exist as long as the processes: no collector need look at
    # them, and in a worker a look would copy their pages.
    gc.freeze()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        return None
    if pid:
        theirs.close()
        return ForkServer(ours, pid)
    return _be_one(ours, theirs, serve)


def _be_one(ours: socket.socket, theirs: socket.socket, serve: Callable[[int], int]) -> NoReturn:
    """Be the fork server or one of its workers, and end.

    Nothing may leave by way of the caller: above here on the stack is a program that its own
    process goes on with. So this ends as `multiprocessing` ends its children.
    """
    code = 1
    try:
        atexit._clear()  # what the caller has to do at its end
        ours.close()
        descriptor = _Forking(theirs).serve()
        code = 0 if descriptor is None else serve(descriptor)
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - whatever it is, it ends here
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


class _Forking:
    """The loop of the fork server. It has one thread and holds no file."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pids: dict[int, int] = {}  # of the workers that live, by a descriptor of each
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def serve(self) -> int | None:
        """Return the descriptor of the channel in a new worker, and None at the end in the server:
        when the supervisor is gone.
        """
        for number in LEFT_TO_THE_SUPERVISOR:
            signal.signal(number, signal.SIG_IGN)
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        name_process(SERVER_NAME)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                for ready, _events in self._poll.poll():
                    if ready != self._sock.fileno():
                        self._reap(ready)
                        continue
                    packet, passed, _flags, _address = socket.recv_fds(self._sock, _REQUEST.size, 1)
                    if not packet:
                        return None
                    number, soft, hard = _REQUEST.unpack(packet)
                    if not passed:  # no number was free for it
                        self._failed(number, errno.EMFILE)
                    elif self._fork(number, passed[0]):
                        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                        return passed[0]
        return None

    def _fork(self, number: int, channel: int) -> bool:
        """Fork a worker; return whether this process is it."""
        try:
            pid = os.fork()
        except OSError as error:
            os.close(channel)
            self._failed(number, error.errno or errno.EAGAIN)
            return False
        if pid == 0:
            self._sock.close()
            for descriptor in self._pids:
                os.close(descriptor)
            os.setsid()
            name_process(WORKER_NAME)
            return True
        os.close(channel)
        try:
            descriptor = os.pidfd_open(pid)
        except OSError as error:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._failed(number, error.errno or errno.EMFILE)
            return False
        self._pids[descriptor] = pid
        self._poll.register(descriptor, select.POLLIN)
        told = Told(Kind.FORKED, number, pid, 0).encode()
        socket.send_fds(self._sock, [told], [descriptor])
        return False

    def _failed(self, number: int, error: int) -> None:
        self._sock.send(Told(Kind.FAILED, number, 0, error).encode())

    def _reap(self, descriptor: int) -> None:
        pid = self._pids.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        _pid, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._sock.send(Told(Kind.ENDED, 0, pid, code).encode())


def name_process(name: str) -> None:
    """Set the name that tools show for this process, where the system lets it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)
