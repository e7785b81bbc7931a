"""The models of addresses that move between the servers of a site, and of their announcement."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from headrace.config.base import Model
from headrace.config.network.words import Ipv4Text, Ipv6Text
from headrace.config.units import DurationS

MOST_VIPS = 4
"""As many addresses of a server as DNS answers with."""
MOST_NEIGHBOURS = 8
MOST_MED = 2**32 - 1
MOST_PREPENDED = 16
"""Routers refuse or cut longer paths; `headrace.bgp` sends none."""
_LONGEST_DRAIN_S = 86_400


def _vip(text: str) -> str:
    address = ipaddress.ip_address(text)
    kinds = {
        "a loopback address": address.is_loopback,
        "a link-local address": address.is_link_local,
        "a reserved address": address.is_reserved
        or (address.version == 4 and int(address) < 2**24),
    }
    for kind, is_so in kinds.items():
        if is_so:
            raise ValueError(f"{text!r} is {kind}, which no router forwards to: write another")
    return text


def _community(text: str) -> str:
    parts = text.split(":")
    most = 65535 if len(parts) == 2 else 2**32 - 1
    if len(parts) not in (2, 3) or not all(
        part.isascii() and part.isdecimal() and len(part) <= 10 and int(part) <= most
        for part in parts
    ):
        raise ValueError(f"{text!r} is no community: write 64500:100, or a large one, 64500:1:100")
    return ":".join(str(int(part)) for part in parts)


VipIpv4Text = Annotated[Ipv4Text, AfterValidator(_vip)]
VipIpv6Text = Annotated[Ipv6Text, AfterValidator(_vip)]
CommunityText = Annotated[str, Field(max_length=32), AfterValidator(_community)]


class VipTable(Model):
    """An address of a server that its neighbours take over when it fails."""

    ipv4: VipIpv4Text | None = Field(default=None, description="Its IPv4 address.")
    ipv6: VipIpv6Text | None = Field(default=None, description="Its IPv6 address.")


class AnnounceTable(Model):
    """How the servers of a site announce their VIPs, and their neighbours', to its routers."""

    neighbours: int = Field(
        default=2,
        ge=0,
        le=MOST_NEIGHBOURS,
        description="How many other servers announce each VIP, each worse than the one before.",
    )
    preference: Literal["med", "prepend", "community", "specific"] = Field(
        default="med",
        description="By what the routers tell the announcements of a VIP apart: by their metric; "
        "by a longer AS path; by a community that the router turns into local preference; by "
        "prefixes, each a bit shorter. The metric is set with all of them, and decides what they "
        "leave open.",
    )
    med: int = Field(
        default=100, ge=0, le=MOST_MED, description="The metric (MED) of a server's own VIPs."
    )
    med_step: int = Field(
        default=100, ge=1, le=MOST_MED, description="How much each worse announcement adds to it."
    )
    prepend: int = Field(
        default=1,
        ge=1,
        le=MOST_PREPENDED,
        description="With `prepend`: how many times each neighbour repeats the AS more than the "
        "one before.",
    )
    communities: list[CommunityText] = Field(
        default=[],
        max_length=MOST_NEIGHBOURS + 2,
        description="With `community`: that of the owner, of each neighbour in order, and, if it "
        "is to be another than the last one's, that of announcements that are worse than all "
        'neighbours\': `["64500:120", "64500:110", "64500:100"]`.',
    )
    ipv4_length: int = Field(
        default=32,
        ge=8,
        le=32,
        description="The length of the prefix that is announced for an IPv4 VIP: what the ISP's "
        "routers take.",
    )
    ipv6_length: int = Field(default=128, ge=16, le=128, description="The same for IPv6.")
    graceful_shutdown: bool = Field(
        default=True,
        description="Whether a server that drains marks its announcements with the community "
        "GRACEFUL_SHUTDOWN (65535:0, RFC 8326).",
    )
    linger_s: DurationS = Field(
        default=30.0,
        ge=0,
        le=_LONGEST_DRAIN_S,
        description="How long a server that drains keeps its VIPs at most, while its connections "
        "end by themselves. Then its neighbours take over.",
    )
    drain_s: DurationS = Field(
        default=10.0,
        ge=5,
        le=_LONGEST_DRAIN_S,
        description="How long it then still announces them at most, worse than its neighbours, "
        "before it withdraws them.",
    )
