"""Network namespaces for tests: made with names of their own, wired by veth pairs, and removed.

A name holds the process that made it, so tests may run in parallel, and what a killed test left is
known: `sweep` removes the namespaces whose process is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Self

PREFIX = "hrt-"
CLONE_NEWNET = 0x40000000
_numbers = count(1)


def run(*command: str, text: str | None = None) -> str:
    """Run a command that must succeed; its output."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


def enter(name: str) -> None:
    """Take the calling thread into a namespace, for good."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{name}").open("rb") as file:
        assert libc.setns(file.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


def sweep() -> None:
    """Remove the namespaces that tests left which are no more."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0] if line else ""
        owner = name.removeprefix(PREFIX).split("-")[0]
        gone = owner.isdecimal() and not Path(f"/proc/{owner}").exists()
        if name.startswith(PREFIX) and gone:
            with contextlib.suppress(AssertionError):
                Namespace(name).remove()


class Namespace:
    """One of them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def prefix(self) -> list[str]:
        """What stands in front of a command that is to run inside."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a command inside, to its end."""
        return run(*self.prefix, *command, text=text)

    def popen(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a command inside."""
        process = subprocess.Popen([*self.prefix, *command], **options)
        self._processes.append(process)
        return process

    def logged(self, command: Sequence[str], log: Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command inside, with what it has to complain about in a file."""
        with log.open("ab") as file:
            return self.popen(command, stderr=file, **options)

    def listen(self, address: str, port: int) -> socket.socket:
        """A socket that listens inside: it stays there, whoever uses it."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made: list[socket.socket] = []

        def make() -> None:
            enter(self.name)
            one = socket.socket(family)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((address, port))
            one.listen()
            made.append(one)

        # Namespaces are of threads, so one of its own goes there.
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    def ip(self, *words: str) -> str:
        """Run `ip` inside."""
        return run("ip", "-n", self.name, *words)

    def nft(self, text: str) -> None:
        """Load a ruleset."""
        self.run("nft", "-f", "-", text=text)

    def black_hole(self, device: str) -> None:
        """Drop what comes in and goes out there, without a word to either side."""
        self.nft(
            "table inet hole {\n"
            f' chain in {{ type filter hook prerouting priority -300; iifname "{device}" drop; }}\n'
            f' chain out {{ type filter hook output priority -300; oifname "{device}" drop; }}\n'
            "}\n"
        )

    def heal(self) -> None:
        """Let everything through again."""
        self.nft("delete table inet hole\n")

    def pids(self) -> list[int]:
        """The processes that run inside."""
        return [int(word) for word in run("ip", "netns", "pids", self.name).split()]

    def remove(self) -> None:
        """Kill what runs inside, and remove it."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._processes:
            process.wait(10)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        run("ip", "netns", "delete", self.name)


class Namespaces:
    """The namespaces of one test. Use as a context manager."""

    def __init__(self) -> None:
        self._made: list[Namespace] = []

    def __enter__(self) -> Self:
        assert os.geteuid() == 0, "network namespaces need root"
        sweep()
        return self

    def __exit__(self, *_error: object) -> None:
        failed = []
        for one in self._made:
            try:
                one.remove()
            except AssertionError as error:
                failed.append(str(error))
        assert not failed, failed

    def add(self, role: str) -> Namespace:
        """Make one; `role` only makes its name speak."""
        made = Namespace(f"{PREFIX}{os.getpid()}-{next(_numbers)}-{role}")
        run("ip", "netns", "add", made.name)
        self._made.append(made)
        made.ip("link", "set", "lo", "up")
        # Addresses of IPv6 count at once, without a second's search for doubles.
        made.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        made.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.ipv4.ip_forward=1")
        return made

    def link(
        self,
        left: tuple[Namespace, str, Sequence[str]],
        right: tuple[Namespace, str, Sequence[str]],
    ) -> None:
        """Join two by a veth pair: each side is (where, the device's name, its addresses)."""
        one, one_device, _ = left
        other, other_device, _ = right
        one.ip(
            *("link", "add", "name", one_device, "type", "veth"),
            *("peer", "name", other_device, "netns", other.name),
        )
        for where, device, addresses in (left, right):
            where.ip("link", "set", "dev", device, "up")
            for address in addresses:
                nodad = ("nodad",) if ":" in address else ()
                where.ip("address", "add", address, "dev", device, *nodad)
