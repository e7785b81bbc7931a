"""Whether somebody listens at a VIP itself: the kernel cannot tell such a listener from a
connection, so nothing of that VIP's port is passed on.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from ipaddress import ip_address

from headrace.vip.addresses.ip_program import PATH
from headrace.vip.clients import filter_of
from headrace.vip.handover.programs import ProgramError, run
from headrace.vip.plan.model import Address

MOST_SAID = 3


async def listeners_at(vips: Sequence[Address]) -> tuple[str, ...]:
    """Return the VIPs with ports at which somebody listens; nothing where `ss` cannot say."""
    if not vips or shutil.which("ss", path=PATH) is None:
        return ()
    try:
        output = await run("ss", "-HtlnO", *filter_of(vips))
    except ProgramError:
        return ()
    return listeners_in(output.decode(errors="replace"), vips)


def listeners_in(text: str, vips: Collection[Address]) -> tuple[str, ...]:
    """Return those of the listed ones that listen at a VIP, and not at all addresses."""
    found = set()
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        host, _colon, port = words[-2].rpartition(":")
        try:
            address = ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            continue
        mapped = address.ipv4_mapped if address.version == 6 else None
        vip = mapped or address
        if vip in vips:
            found.add(f"{vip} port {port}")
    return tuple(sorted(found))


def complaint_of(found: Sequence[str]) -> str:
    """Return what is said of them; "" for none."""
    if not found:
        return ""
    more = f" and {len(found) - MOST_SAID} more" if len(found) > MOST_SAID else ""
    return (
        f"somebody listens at {', '.join(found[:MOST_SAID])}{more} itself: its connections are cut "
        "when the VIP moves; listen at all addresses ([::]:443)"
    )
