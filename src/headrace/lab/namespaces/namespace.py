"""A network namespace: made, set up by `ip`, `tc`, `nft`, and removed with all that runs in it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace.lab.errors import LabError
from headrace.lab.namespaces.commands import run
from headrace.lab.namespaces.enter import NETNS, inside

_SETTINGS = {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
    # Addresses of IPv6 count at once, without a second's search for doubles, and stay with a link
    # that is down, as those of IPv4 do.
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/keep_addr_on_down": "1",
    "ipv6/conf/all/keep_addr_on_down": "1",
    # A packet may come by another line than its answer takes.
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
}
_ENDS_S = 10.0
_POLL_S = 0.01


def names(prefix: str) -> list[str]:
    """Return the namespaces whose names begin so."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(one.name for one in NETNS.iterdir() if one.name.startswith(prefix))
    return []


class Namespace:
    """One of them, there or not."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def exists(self) -> bool:
        """Return whether it is there."""
        return (NETNS / self.name).exists()

    def add(self) -> None:
        """Make it, as a router: it forwards. Raises LabError."""
        run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        inside(self.name, lambda: _write_settings(_SETTINGS))

    @property
    def prefix(self) -> list[str]:
        """Return what stands in front of a command that is to run inside."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a command inside, to its end. Raises LabError."""
        return run(*self.prefix, *command, text=text)

    def ip(self, *words: str) -> str:
        """Run `ip` for it. Raises LabError."""
        return run("ip", "-n", self.name, *words)

    def ip_lines(self, lines: Iterable[str]) -> None:
        """Run several commands of `ip` for it, one a line. Raises LabError."""
        text = "".join(f"{line}\n" for line in lines)
        if text:
            run("ip", "-n", self.name, "-batch", "-", text=text)

    def tc(self, *words: str) -> str:
        """Run `tc` for it. Raises LabError."""
        return run("tc", "-n", self.name, *words)

    def nft(self, text: str) -> None:
        """Load rules. Raises LabError."""
        self.run("nft", "-f", "-", text=text)

    def listen(self, address: str, port: int) -> socket.socket:
        """Return a socket that listens inside: it stays there, whoever uses it. Raises OSError."""

        def make() -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            made = socket.socket(family)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, port))
            made.listen()
            return made

        return inside(self.name, make)

    def pids(self) -> list[int]:
        """Return the processes that run inside."""
        try:
            wanted = (NETNS / self.name).stat().st_ino
        except FileNotFoundError:
            return []
        found = (int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal())
        return [pid for pid in found if _network_of(pid) == wanted]

    def kill(self) -> None:
        """Kill what runs inside, and wait until it is gone. Raises LabError."""
        until = time.monotonic() + _ENDS_S
        while left := self.pids():
            if time.monotonic() > until:
                raise LabError(f"{self.name}: {left} do not end")
            for pid in left:
                self._kill(pid)
            time.sleep(_POLL_S)

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            # Through a handle of the process: its number could be another's by now.
            handle = os.pidfd_open(pid)
            try:
                if _network_of(pid) == (NETNS / self.name).stat().st_ino:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)

    def remove(self) -> None:
        """Kill what runs inside, and remove it. Raises LabError."""
        if self.exists:
            with contextlib.suppress(OSError):
                self.kill()
            run("ip", "netns", "delete", self.name)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link: where, what the device is called there, and its addresses."""

    where: Namespace
    device: str
    addresses: Sequence[str] = ()


def link(one: End, other: End) -> None:
    """Join two namespaces by a veth pair, and bring it up. Raises LabError."""
    one.where.ip(
        *("link", "add", "name", one.device, "type", "veth"),
        *("peer", "name", other.device, "netns", other.where.name),
    )
    for end in (one, other):
        end.where.ip_lines([*addressed(end), f"link set dev {end.device} up"])


def addressed(end: End) -> list[str]:
    """Return the commands of `ip` that give a device its addresses, whether or not it has them."""
    return [
        f"address replace {address} dev {end.device}{' nodad' if ':' in address else ''}"
        for address in end.addresses
    ]


def _network_of(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:  # gone, or not ours to see
        return None


def _write_settings(settings: Mapping[str, str]) -> None:
    for path, value in settings.items():
        # A kernel without IPv6 has none of its settings.
        with contextlib.suppress(FileNotFoundError):
            Path("/proc/sys/net", path).write_text(value)
