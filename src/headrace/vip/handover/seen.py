"""What the kernel has of ours, and whether somebody changes it: all that a firewall's reload, a
network manager or an operator may remove is compared with what was there when it was made.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from headrace.vip.handover.counted import Key, Sum, read_table
from headrace.vip.handover.programs import ProgramError, ProgramUnclearError, run
from headrace.vip.handover.ruleset import DEVICE, TABLE

_NETFILTER, _NFTABLES_GROUP = 12, 7
_LONGEST_BYTES = 64 * 1024
MOST_MESSAGES = 256
_NAME = TABLE.encode() + b"\0"
_SIOCGIFFLAGS, _IFF_UP = 0x8913, 0x1
_SHOWN = f"route show dev {DEVICE}\nneighbour show dev {DEVICE} nud permanent\n"
_SHOWN_TOO = {"-4": f"address show dev {DEVICE}\n", "-6": ""}


@dataclass(frozen=True, slots=True)
class Rules:
    """What stands for the rules, and what they have counted."""

    digest: str
    counters: dict[Key, Sum]


async def seen_rules() -> Rules | None:
    """Return what there is of the rules; None where some is missing or cannot be read. Raises
    ProgramUnclearError.
    """
    digests, counters = [], {}
    for family in ("ip", "ip6"):
        try:
            listed = read_table(await run("nft", "-j", "list", "table", family, TABLE))
        except ProgramUnclearError:
            raise
        except (ProgramError, msgspec.DecodeError):
            return None
        digests.append(listed.rules)
        counters.update(listed.counters)
    return Rules(" ".join(digests), counters)


def is_up() -> bool:
    """Return whether the tunnel's device is there, and up."""
    request = struct.pack("=16sH14x", DEVICE.encode(), 0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            answer = fcntl.ioctl(asked, _SIOCGIFFLAGS, request)
    except OSError:
        return False
    return bool(struct.unpack_from("=16xH", answer)[0] & _IFF_UP)


async def seen_tunnel() -> str:
    """Return what stands for the tunnel's device, routes and neighbours; "" for none. Raises
    ProgramUnclearError.
    """
    digest = hashlib.sha256()
    try:
        socket.if_nametoindex(DEVICE)
        for family, more in _SHOWN_TOO.items():
            digest.update(await run("ip", family, "-batch", "-", lines=_SHOWN + more))
        digest.update(await run("bridge", "fdb", "show", "dev", DEVICE))
    except ProgramUnclearError:
        raise
    except (OSError, ProgramError):
        return ""
    return digest.hexdigest()


class Changes:
    """Calls `changed` when somebody changes our rules of nftables; silent where the kernel does not
    say it. Others change theirs without end, and a stranger may have them do it, as where senders
    are banned: that costs a look at the message. Use as a context manager."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._channel: socket.socket | None = None

    def __enter__(self) -> None:
        with contextlib.suppress(OSError):
            channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
            try:
                channel.setblocking(False)
                channel.bind((0, 1 << (_NFTABLES_GROUP - 1)))
                asyncio.get_running_loop().add_reader(channel, self._read)
            except OSError:
                channel.close()
                raise
            self._channel = channel

    def __exit__(self, *_error: object) -> None:
        if self._channel is not None:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
            self._channel = None

    def _read(self) -> None:
        # Whatever is changed, the table is named. A lost message may be one of ours (ENOBUFS).
        assert self._channel is not None
        ours = False
        for _ in range(MOST_MESSAGES):
            try:
                ours = _NAME in self._channel.recv(_LONGEST_BYTES) or ours
            except BlockingIOError:
                break
            except OSError:
                ours = True
        if ours:
            self._changed()
