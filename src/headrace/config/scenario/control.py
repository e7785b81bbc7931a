"""The model of what observes a simulated network and steers it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from headrace.config.base import Model
from headrace.config.scenario.events import Whose
from headrace.config.units import DurationS


class BadObserverTable(Whose):
    """Observers that see what is not so: of some servers, or of all where none are named."""

    count: int = Field(default=1, ge=1, le=100, description="How many of the observers.")
    from_s: DurationS = Field(description="From when on.")
    until_s: DurationS | None = Field(default=None, description="Until when. Unset: to the end.")
    sees: Literal["failures", "nothing"] = Field(
        default="failures",
        description="`failures`: every probe of it fails. `nothing`: it says no more, of any "
        "server.",
    )


class ControlTable(Model):
    """The feedback loop. Its rules are the defaults of `headrace feedback`."""

    mode: Literal["none", "states", "both"] = Field(
        default="none",
        description="`none`: nobody observes, and only what operators write counts. `states`: "
        "servers that fail are left out (version 1). `both`: traffic is balanced between sites, "
        "too (version 2).",
    )
    controller: Literal["headrace", "none", "threshold", "proportional", "two-choices"] = Field(
        default="headrace",
        description="What decides about load, in mode `both`; the others are there to be compared "
        "with. `none`: servers that fail are left out, and nothing more. `threshold`: a site above "
        "85 % gets no new clients until it is below 70 %. `proportional`: the sites of a coverage "
        "share its clients by the room that each has. `two-choices`: for each client two of them "
        "are drawn, and the less loaded one gets it.",
    )
    observers: int = Field(
        default=3, alias="observers", ge=1, le=100, description="How many observe."
    )
    probe_s: DurationS = Field(
        default=1.0, ge=0.1, le=60, description="How often each observer probes each server."
    )
    view_delay_s: DurationS = Field(
        default=0.2, le=600, description="How long a new view takes to routers and servers."
    )
    report_delay_s: DurationS = Field(
        default=0.0, le=600, description="How old reports of servers are when they are read."
    )
    reports_lost: float = Field(
        default=0.0, ge=0, le=1, description="The share of the reports that get lost."
    )
    reports_wrong: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Reports are wrong by up to this share, up or down: each by chance.",
    )
    bad_observers: list[BadObserverTable] = Field(
        default=[], alias="bad_observer", max_length=100, description="Observers that are wrong."
    )

    @model_validator(mode="after")
    def _has_so_many(self) -> Self:
        if any(one.count > self.observers for one in self.bad_observers):
            raise ValueError("more observers are bad than there are: lower count")
        if self.controller != "headrace" and self.mode != "both":
            raise ValueError('another controller needs to decide: write mode = "both"')
        return self
