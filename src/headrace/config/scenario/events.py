"""The models of what happens to a network: servers and origins fail, come back, or are new."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from headrace.config.base import Model
from headrace.config.network.words import Name
from headrace.config.units import DurationS


class Whose(Model):
    """Servers of the network: some by name, or those of a site."""

    servers: list[Name] = Field(default=[], max_length=10_000, description="These servers.")
    site: Name | None = Field(default=None, description="The servers of this site.")
    share: float = Field(
        default=1.0, gt=0, le=1, description="Only this share of them, the first by name."
    )


class FailureTable(Whose):
    """Servers that fail, or the origins."""

    origins: bool = Field(default=False, description="The origins, in place of servers.")
    from_s: DurationS = Field(description="When they fail.")
    until_s: DurationS | None = Field(default=None, description="When they are back. Unset: never.")
    how: Literal["dead", "slow", "wrong"] = Field(
        default="dead",
        description="`dead` servers answer nobody; `slow` ones send a tenth of what they could; "
        "`wrong` ones send what is not to be used, and only who compares it sees that.",
    )
    loses_store: bool = Field(
        default=False, description="They come back with nothing in their stores."
    )

    @model_validator(mode="after")
    def _is_of_something(self) -> Self:
        _check_times(self.from_s, self.until_s)
        if self.origins == bool(self.servers or self.site):
            raise ValueError("write servers, site or origins = true: what fails")
        return self


class WithdrawalTable(Whose):
    """Servers that an operator withdraws, from and until a time: maintenance."""

    from_s: DurationS = Field(description="When they are withdrawn.")
    until_s: DurationS | None = Field(default=None, description="When they return. Unset: never.")
    each_s: DurationS = Field(
        default=0.0,
        description="One after the other, each for so long, from `from` on. 0: all at once.",
    )
    drains_s: DurationS = Field(
        default=0.0,
        description="For so long before, they get no new clients. With `each`, that of the next "
        "begins when the one before has returned.",
    )
    loses_store: bool = Field(
        default=False, description="They come back with nothing in their stores."
    )

    @model_validator(mode="after")
    def _is_of_something(self) -> Self:
        _check_times(self.from_s, self.until_s)
        if not (self.servers or self.site):
            raise ValueError("write servers or site: what is withdrawn")
        return self


class NewServerTable(Whose):
    """Servers that come to the network while it runs, with nothing in their stores."""

    at_s: DurationS = Field(description="When they come.")
    ramp_s: DurationS = Field(
        default=0.0,
        description="The time in which their weight rises to all that they can. 0: at once.",
    )

    @model_validator(mode="after")
    def _is_of_something(self) -> Self:
        if not (self.servers or self.site):
            raise ValueError("write servers or site: what is new")
        return self


def _check_times(from_s: float, until_s: float | None) -> None:
    if until_s is not None and until_s <= from_s:
        raise ValueError("it ends before it begins: make until later than from")
