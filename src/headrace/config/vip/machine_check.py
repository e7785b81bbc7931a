"""What the configuration of VIPs asks of its machine."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from headrace.config.node_check import (
    bad_authorities,
    directory_problems,
    interface_problems,
    member_problems,
    tls_problems,
    unreadable,
)
from headrace.config.problems import Problem, Severity
from headrace.config.vip.model import VipConfig

_INTERFACES = Path("/sys/class/net")
_BFDD = Path("/usr/lib/frr/bfdd")
_MOST_PASSWORD = 80


def machine_problems(config: VipConfig) -> list[Problem]:
    """Return everything that this machine does not have as the configuration needs it."""
    found = [*tls_problems(config), *interface_problems(config)]
    found += directory_problems(config.state_directory, "state_dir")
    found += member_problems(config.network)
    found += _files(config)
    found += _own_addresses(config)
    found += _programs(config)
    return found


def _files(config: VipConfig) -> Iterator[Problem]:
    files: list[tuple[Path | None, tuple[str | int, ...]]] = [
        (config.network.file, ("network", "file")),
        (None if config.edge is None else config.edge.token_file, ("edge", "token_file")),
    ]
    for path, place in files:
        problem = None if path is None else unreadable(path, place)
        if problem is not None:
            yield problem
    for index, router in enumerate(config.routers):
        if router.password_file is not None:
            yield from _password(router.password_file, ("router", index, "password_file"))
    if config.checking.ca is not None:
        bad = bad_authorities(config.checking.ca, ("checking", "ca"))
        if bad is not None:
            yield bad


def _own_addresses(config: VipConfig) -> Iterator[Problem]:
    """Yield the addresses to speak from that this machine does not have (yet)."""
    for index, router in enumerate(config.routers):
        if is_elsewhere(router.local_address):
            yield Problem(
                ("router", index, "local_address"),
                "this machine does not have that address: the session cannot come up",
                "write one that `ip address` shows, on the network that the router is on",
                str(router.local_address),
                Severity.WARNING,
            )


def is_elsewhere(address: IPv4Address | IPv6Address) -> bool:
    """Return whether this machine does not have an address, or may not use it: of IPv6, because
    another machine has it too.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((str(address), 0))
    except OSError as error:
        return error.errno == errno.EADDRNOTAVAIL
    return False


def _password(path: Path, place: tuple[str | int, ...]) -> Iterator[Problem]:
    """Yield what sessions would refuse a file with a password for."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(4096)
    except OSError:
        problem = unreadable(path, place)
        if problem is not None:
            yield problem
        return
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        remedy = f"run `chmod g-w,o-rwx {path}`"
        yield Problem(place, "others can read or change the file", remedy, repr(str(path)))
    text = content.decode("ascii", "replace").strip("\r\n")
    if not 1 <= len(text) <= _MOST_PASSWORD or not (text.isascii() and text.isprintable()):
        remedy = f"write 1 to {_MOST_PASSWORD} letters of ASCII, in one line"
        yield Problem(place, "the file holds no password", remedy, repr(str(path)))


def _programs(config: VipConfig) -> Iterator[Problem]:
    name = config.addresses.interface
    if _INTERFACES.is_dir() and not (_INTERFACES / name).exists():
        yield Problem(
            ("addresses", "interface"),
            "this machine has no such network interface",
            "name one that it has, such as lo",
            repr(name),
        )
    if shutil.which("ip", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        yield Problem(
            ("addresses",),
            "there is no program ip, by which addresses are bound",
            "install the package iproute2",
        )
    if config.speaker.kind != "exabgp":
        return
    if find_spec("exabgp") is None:
        yield Problem(
            ("speaker", "kind"),
            "ExaBGP is not installed beside Headrace",
            "run pip install --require-hashes -r requirements/vip.txt in its environment",
            "'exabgp'",
        )
    for index, router in enumerate(config.routers):
        if router.bfd and not _BFDD.exists():
            yield Problem(
                ("router", index, "bfd"),
                f"there is no {_BFDD}, by which BFD is spoken beside ExaBGP",
                "install the package frr, or remove the line",
                "true",
            )
