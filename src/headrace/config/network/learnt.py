"""The model of coverage that is learnt from what an ISP's routers announce to the servers."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from headrace.config.base import FilePath, Model
from headrace.config.network.vips import CommunityText
from headrace.config.network.words import Name
from headrace.config.units import DurationS

MOST_LEARNT = 200_000
MOST_WITHIN = 1000
MOST_AS = 2**32 - 1
LONGEST_V4, LONGEST_V6 = 31, 127
"""A prefix of one address could not come before the same one of the description."""


def _prefix(text: str) -> str:
    try:
        found = ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a prefix: write 192.0.2.0/24 or 2001:db8::/32") from None
    return str(found)


_Prefix = Annotated[str, Field(max_length=64), AfterValidator(_prefix)]
_AsNumber = Annotated[int, Field(ge=1, le=MOST_AS)]


class LearntTable(Model):
    """What is taken of that. `within` or `origin_as` must say whose clients they may be."""

    site: Name = Field(description="The site whose servers hear the ISP's routers.")
    file: FilePath = Field(
        description="The file that nodes keep the prefixes in, one a line. Nodes with "
        "`learn_coverage` replace it; where it is missing, nothing is learnt yet."
    )
    within: list[_Prefix] = Field(
        default=[],
        max_length=MOST_WITHIN,
        description="Only prefixes inside of one of these, or equal to one, are taken.",
    )
    origin_as: list[_AsNumber] = Field(
        default=[],
        max_length=MOST_WITHIN,
        description="Only prefixes whose AS path ends with one of these are taken.",
    )
    router_as: list[_AsNumber] = Field(
        default=[],
        max_length=MOST_WITHIN,
        description="Only routers with one of these AS numbers are heard, by the `as` of "
        "`[[router]]` in vip.toml: with routers of several ISPs, each fills its own coverage. None "
        "here: every router is.",
    )
    communities: list[CommunityText] = Field(
        default=[],
        max_length=32,
        description="Only prefixes with one of these communities are taken: `64500:100`, or a "
        "large one, `64500:1:100`.",
    )
    shortest_v4: int = Field(default=8, ge=1, le=LONGEST_V4, description="The shortest of IPv4.")
    longest_v4: int = Field(default=24, ge=1, le=LONGEST_V4, description="The longest of IPv4.")
    shortest_v6: int = Field(default=20, ge=1, le=LONGEST_V6, description="The shortest of IPv6.")
    longest_v6: int = Field(default=48, ge=1, le=LONGEST_V6, description="The longest of IPv6.")
    private: bool = Field(
        default=False,
        description="Take private, shared and documentation addresses too (10.0.0.0/8, "
        "100.64.0.0/10, fc00::/7, …), if this network has clients there.",
    )
    most: int = Field(
        default=50_000,
        ge=1,
        le=MOST_LEARNT,
        description="So many prefixes are taken. With more, none of the change is: what was taken "
        "last stays, and it is reported.",
    )
    taking: Literal["automatic", "approved"] = Field(
        default="automatic",
        description="`automatic`: a change within `most_changed` and `most_prefixes` is taken by "
        "itself, a larger one when somebody approves it. `approved`: every change waits for that.",
    )
    most_changed: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="The share of the addresses, of either family, that all changes of an hour may "
        "add and remove. The first set changes all of them. 1: any.",
    )
    most_prefixes: int = Field(
        default=1000,
        ge=1,
        le=MOST_LEARNT,
        description="How many prefixes all changes of an hour may add and remove.",
    )
    settle_s: DurationS = Field(
        default=30.0,
        ge=0.0,
        le=86_400.0,
        description="A prefix that comes or goes must have stayed so for this long. One that does "
        "so often waits longer.",
    )
    keep_s: DurationS = Field(
        default=3600.0,
        ge=0.0,
        le=30 * 86_400.0,
        description="What was taken stays so long after the last session ended; then the rest of "
        "the description decides.",
    )
