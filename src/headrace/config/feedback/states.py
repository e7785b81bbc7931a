"""The model of how servers leave and come back: version 1 of the loop."""

from __future__ import annotations

from pydantic import Field

from headrace.config.base import Model
from headrace.config.units import DurationS


class StatesTable(Model):
    """When a server is taken out, and how it comes back. Numbers of probes are in a row."""

    failures: int = Field(
        default=2, ge=1, le=1000, description="After so many failed probes a server has failed."
    )
    refusals: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="The same of refused ones: nobody listens.",
    )
    slow: int = Field(default=5, ge=1, le=1000, description="The same of slow ones.")
    alone: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="So many more are needed where one observer decides by itself.",
    )
    lossy: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="A server of whose probes such a share fails has failed, in a row or not.",
    )
    successes: int = Field(
        default=5, ge=1, le=1000, description="After so many good probes it comes back."
    )
    ramp_s: DurationS = Field(
        default=60.0, ge=0, le=86400, description="How long its weight takes to be whole again."
    )
    ramp_from: float = Field(default=0.1, gt=0, le=1, description="With which weight it begins.")
    ramp_new: bool = Field(
        default=True, description="Let a server that is new in the description begin so too."
    )
    flap_penalty: float = Field(
        default=1000.0, ge=0, le=1e6, description="What each failure adds to a server's penalty."
    )
    half_life_s: DurationS = Field(
        default=300.0, gt=0, le=86400, description="After so long half of a penalty is forgotten."
    )
    suppress: float = Field(
        default=2500.0, gt=0, le=1e6, description="Above this penalty a server stays out."
    )
    reuse: float = Field(
        default=750.0, gt=0, le=1e6, description="Below it, it may come back. Less than `suppress`."
    )
    longest_suppress_s: DurationS = Field(
        default=1800.0, gt=0, le=7 * 86400, description="No penalty keeps a server out for longer."
    )
    full_above: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="A server that sends such a share of what it can is full, and gets less.",
    )
    full_below: float = Field(
        default=0.85, gt=0, le=1, description="Below it, it is not. Less than `full_above`."
    )
    floor: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Such a share of a site's servers, by class, stays in as long as they answer "
        "at all, however slowly or wrongly.",
    )
    floor_dead: float = Field(
        default=0.0, ge=0, le=1, description="The same of servers that do not answer at all."
    )
    mass: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="When more than such a share of all servers seems to fail at once, the "
        "observers are the likelier fault: nothing is taken out, and there is an alarm.",
    )
