"""What the balance keeps from one step to the next, as it is written down and adopted. Pure.

All of it is bounded by the description: names of coverages, classes and sites that it does not have
are dropped at each step.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.topology.model import ContentClass

_Name = Annotated[str, Meta(min_length=1, max_length=512)]
Bps = Annotated[float, Meta(ge=0.0, le=1e18)]
Signed = Annotated[float, Meta(ge=-1e18, le=1e18)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Shares = dict[_Name, Share]


class Reach(enum.StrEnum):
    """Where the requests of a class may be served: external sites included or not. Classes of one
    reach have the same weights."""

    ANYWHERE = "anywhere"
    INSIDE = "inside"

    @classmethod
    def of(cls, content: ContentClass) -> Reach:
        """Return a class's reach."""
        return cls.ANYWHERE if content.external else cls.INSIDE


class Balance(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The balance's memory.

    `since_s` is how long ago weights were worked out (None: never). By coverage and class,
    `demand` is what clients want, in bits per second. By coverage and reach, for those of whom
    some are not where the description has them: `weights` is where clients are sent, `arrived`
    where they are by now. By site, `other` is load that is no client's, and `drift` what is there
    beside what should be by the weights. `near` is how the clients of the default coverage are
    spread while nothing is moved: their place may decide it, and only routers know that.
    """

    since_s: Annotated[float, Meta(ge=0.0, le=1e9)] | None = None
    demand: dict[_Name, dict[_Name, Bps]] = {}
    weights: dict[_Name, dict[Reach, Shares]] = {}
    arrived: dict[_Name, dict[Reach, Shares]] = {}
    other: dict[_Name, Bps] = {}
    drift: dict[_Name, Signed] = {}
    near: Shares = {}


NO_BALANCE = Balance()
