"""The model of how traffic is balanced between sites: version 2 of the loop."""

from __future__ import annotations

from pydantic import Field

from headrace.config.base import Model
from headrace.config.units import DurationS


class BalanceTable(Model):
    """How weights of sites follow the demand for them."""

    interval_s: DurationS = Field(
        default=5.0, ge=1, le=600, description="Weights are worked out once in so long."
    )
    release: float = Field(
        default=0.92,
        gt=0,
        lt=1,
        description="Clients return to a site only while it is used to such a share of its target "
        "at most.",
    )
    step: float = Field(
        default=0.34,
        gt=0,
        le=1,
        description="What comes to a site, or leaves it, in one interval at most: such a share of "
        "its capacity.",
    )
    least: float = Field(
        default=0.01,
        ge=0,
        le=0.5,
        description="Nothing is moved for less than such a share of a site's capacity.",
    )
    rise_s: DurationS = Field(
        default=4.0, gt=0, le=3600, description="The time constant with which growth is followed."
    )
    fall_s: DurationS = Field(
        default=15.0, gt=0, le=3600, description="The same of demand that falls."
    )
    other_s: DurationS = Field(
        default=15.0, gt=0, le=3600, description="The same of load that no demand explains."
    )
    correct_s: DurationS = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="The same of load that is not where the weights should have brought it.",
    )
    follow_s: DurationS | None = Field(
        default=None,
        gt=0,
        le=86400,
        description="With which time constant clients follow a weight. Unset: the `ttl` of their "
        "class.",
    )
    hold_s: DurationS = Field(
        default=20.0, gt=0, le=3600, description="For how long a report counts in full."
    )
    decay_s: DurationS = Field(
        default=30.0, gt=0, le=3600, description="After each such time it counts half as much."
    )
