"""Addresses of this machine, read and changed by the program `ip`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from ipaddress import ip_address

import msgspec

from headrace.errors import HeadraceError
from headrace.vip.addresses.changes import Changes
from headrace.vip.children import run_child
from headrace.vip.plan.model import Address

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
WITHIN_S = 5.0
_SHOWN = 200


class AddressError(HeadraceError):
    """Addresses cannot be read, bound or removed."""


class _Info(msgspec.Struct):
    local: str = ""


class _Interface(msgspec.Struct):
    addr_info: list[_Info] = []


_decoder = msgspec.json.Decoder(list[_Interface])


async def present() -> frozenset[Address]:
    """Return all addresses of this machine, on whatever interface. Raises AddressError."""
    output = await _ip("-j", "address", "show")
    try:
        found = _decoder.decode(output or b"[]")
        return frozenset(
            ip_address(info.local) for one in found for info in one.addr_info if info.local
        )
    except (msgspec.DecodeError, ValueError) as error:
        raise AddressError(f"`ip -j address show` cannot be read: {error}") from error


async def carry_out(interface: str, wanted: Changes) -> None:
    """Bind and remove. Raises AddressError; what could be done then is done."""
    lines = [*add_lines(interface, wanted.add), *remove_lines(interface, wanted.remove)]
    if lines:
        await _ip("-force", "-batch", "-", text="\n".join([*lines, ""]))


def add_lines(interface: str, addresses: Iterable[Address]) -> list[str]:
    """Return the commands that bind. The addresses are deprecated from the start: the kernel does
    not choose them for connections that this machine makes. Doubles are not searched for: the
    neighbours have the same addresses.
    """
    return [
        f"address add {one}/{one.max_prefixlen} dev {interface} preferred_lft 0"
        + (" nodad" if one.version == 6 else "")
        for one in addresses
    ]


def remove_lines(interface: str, addresses: Iterable[Address]) -> list[str]:
    """Return the commands that remove."""
    return [f"address del {one}/{one.max_prefixlen} dev {interface}" for one in addresses]


async def _ip(*words: str, text: str | None = None) -> bytes:
    """Run `ip`; return what it printed. Raises AddressError."""
    program = shutil.which("ip", path=PATH)
    if program is None:
        raise AddressError("there is no program ip: install the package iproute2")
    try:
        ended = await run_child(program, *words, within_s=WITHIN_S, text=text)
    except TimeoutError:
        raise AddressError(f"`ip {' '.join(words)}` did not end within {WITHIN_S:.0f} s") from None
    except OSError as error:
        raise AddressError(f"ip cannot be started: {error.strerror}") from error
    if ended.code:
        told = ended.errors.decode(errors="replace").strip().splitlines()
        raise AddressError(_told(told[0] if told else f"exit code {ended.code}"))
    return ended.output


def _told(line: str) -> str:
    shown = f"ip: {line[:_SHOWN]}"
    if "not permitted" in line:
        shown += "; this process needs CAP_NET_ADMIN, or set addresses.bind = false"
    return shown
