"""What is observed of a network at a moment, by whom: probes of servers and reports of nodes. Pure.

Everything is told as ages in seconds, never as clock times: observers' clocks may differ. What an
observer says goes on the wire as it stands here; whoever reads it checks it by its bounds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from headrace.telemetry.load_report import LoadReport

MOST_IN_A_ROW = 1_000_000
MOST_PROBED = 100_000
FAILING_STEP = 0.1
"""How much one probe counts in `ProbeRecord.failing`."""

_NOTHING: Mapping[Any, Any] = MappingProxyType({})

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Age = Annotated[float, Meta(ge=0.0, le=1e9)]
InARow = Annotated[int, Meta(ge=0, le=MOST_IN_A_ROW)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Outcome(enum.StrEnum):
    """How a probe ended. A probe that failed by the observer's own fault (it has no descriptors, no
    network) has none: its record is left to age."""

    OK = "ok"
    SLOW = "slow"
    """The right bytes came, later than they should."""
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    """No connection in time, or no whole response."""
    TLS = "tls"
    MALFORMED = "malformed"
    """What came is not HTTP, or larger than it may be."""
    STATUS = "status"
    WRONG_BYTES = "wrong_bytes"
    CUT = "cut"
    """The connection ended in the middle of the response."""


DEAD = frozenset({Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.TIMEOUT})
"""Outcomes of a server that is not there at all."""


class ProbeRecord(msgspec.Struct, frozen=True, array_like=True):
    """What one observer knows of one server from its probes.

    `age_s` is that of the last one. In a row, up to the last one: `failures` failed, `slow` failed
    or were slow, `successes` were ok. `failing` is the moving share of those that failed. The
    times are the last one's (None: it did not come so far).
    """

    outcome: Outcome
    age_s: Age = 0.0
    failures: InARow = 0
    slow: InARow = 0
    successes: InARow = 0
    failing: Share = 0.0
    first_byte_s: Age | None = None
    total_s: Age | None = None


class Observer(msgspec.Struct, frozen=True):
    """What one observer said of the servers by name, `age_s` ago: the ages of its records are as
    they were then."""

    name: Name
    age_s: Age = 0.0
    probes: Annotated[dict[Name, ProbeRecord], Meta(max_length=MOST_PROBED)] = {}


class NodeReport(msgspec.Struct, frozen=True):
    """The report of a node, taken from it `age_s` ago: `report.age_s` is as it was then."""

    age_s: Age
    report: LoadReport

    @property
    def whole_age_s(self) -> float:
        """Return how long ago the time ended that the report speaks of."""
        return self.age_s + self.report.age_s


@dataclass(frozen=True, slots=True)
class VipsHeard:
    """What a server says of its own VIPs, asked `age_s` ago: for `away_s` it has announced none of
    them (0: it announces one).
    """

    age_s: float
    away_s: float


@dataclass(frozen=True, slots=True)
class Observations:
    """All that is known at a moment: observers by name, oneself among them, reports by node, and
    whether servers announce their VIPs, by server.
    """

    observers: Mapping[str, Observer] = field(default_factory=lambda: _NOTHING)
    reports: Mapping[str, NodeReport] = field(default_factory=lambda: _NOTHING)
    vips: Mapping[str, VipsHeard] = field(default_factory=lambda: _NOTHING)


def next_record(
    before: ProbeRecord | None,
    outcome: Outcome,
    first_byte_s: float | None = None,
    total_s: float | None = None,
) -> ProbeRecord:
    """Return the record after one more probe, which has just ended."""
    failed = outcome not in {Outcome.OK, Outcome.SLOW}
    bad = outcome is not Outcome.OK
    failures, slow, successes, failing = (
        (before.failures, before.slow, before.successes, before.failing)
        if before is not None
        else (0, 0, 0, 0.0)
    )
    return ProbeRecord(
        outcome,
        0.0,
        min(failures + 1, MOST_IN_A_ROW) if failed else 0,
        min(slow + 1, MOST_IN_A_ROW) if bad else 0,
        0 if bad else min(successes + 1, MOST_IN_A_ROW),
        failing + (failed - failing) * FAILING_STEP,
        first_byte_s,
        total_s,
    )
