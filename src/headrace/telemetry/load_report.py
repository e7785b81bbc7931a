"""What a node says of its load, for those who steer the network: one JSON document. Pure.

What comes in may be anything. A report is taken as a whole or refused as a whole; `Fault` has the
few kinds of why, for counts and the log. All times are ages, so that clocks need not agree.
"""

from __future__ import annotations

import enum
import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError

LARGEST_BYTES = 1024 * 1024
MOST_PAIRS = 2048
"""Pairs of a coverage and a class in one report; a node sums up what is beyond as OTHER."""

MOST_SHARDS = 256
"""Shards in one report, of all classes together."""

MOST_NAMES = 1024
NAME_LETTERS = 64
SHARD_LETTERS = 512
OTHER = "other"
"""Who is of no coverage, what is of no class, and what a node had no room for."""

MOST_BPS = 1e15
MOST_PER_S = 1e9
_LONGEST_S = 86_400.0

Name = Annotated[str, Meta(min_length=1, max_length=NAME_LETTERS)]
Shard = Annotated[str, Meta(max_length=SHARD_LETTERS)]
Bps = Annotated[float, Meta(ge=0.0, le=MOST_BPS)]
PerSecond = Annotated[float, Meta(ge=0.0, le=MOST_PER_S)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(ge=0.0, le=_LONGEST_S)]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class Fault(enum.StrEnum):
    """Why a report is not taken."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    """No JSON: NaN is none either."""
    NEGATIVE = "negative"
    EXCESSIVE = "excessive"
    """A number above its bound, or a name or a list that is too long."""
    INVALID = "invalid"
    """A field is missing or of another kind."""
    OLD = "old"
    OTHER_NODE = "other_node"
    """It is another node's than the one that was asked."""


class ReportError(HeadraceError):
    """A report that is refused."""

    def __init__(self, kind: Fault, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Flow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What clients of one coverage got of one class: bits and requests per second."""

    bps: Bps
    requests_per_s: PerSecond


class Quantiles(msgspec.Struct, frozen=True):
    """How long something took, in seconds: half of all at most `p50`, and so on."""

    p50: Seconds
    p95: Seconds
    p99: Seconds


class Disk(msgspec.Struct, frozen=True):
    """The device that the store is on: requests in progress on average, and the share of the time
    in which there was one."""

    queue: Annotated[float, Meta(ge=0.0, le=1e6)]
    busy: Share


class Players(msgspec.Struct, frozen=True):
    """What players said of themselves (CMCD), as far as it was examined: how many reports, how
    many of those of a buffer that ran empty, and half of the players' throughput at most."""

    reports: Count
    starved: Count
    throughput_bps: Bps | None = None


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """How often another server was asked, and how often it did not help."""

    asked: Count
    failed: Count


class LoadReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The load of a node in the last `interval_s`, which ended `age_s` ago.

    `impaired`: it serves, and clients would be better off elsewhere (its disk takes nothing).
    `capacity_bps` is what the node itself knows of its interface (None: nothing), `interface_bps`
    what all that is on this machine sent through it. `cpu` is the share of the machine's
    processors that its workers used, `machine_cpu` what everything used. Hits and what was asked
    of origins are per second. `first_byte` is of all responses, `origin_wait` of origins' response
    heads. `flows` are by coverage and class, `shards` by class: each shard's share of the
    class's bits, heavy ones alone. `players` are by coverage, `siblings` by server. `decisions`
    are a router's: by coverage, class and site, per second.
    """

    node: Name
    role: Literal["edge", "router"]
    interval_s: Annotated[float, Meta(gt=0.0, le=3600.0)]
    age_s: Seconds = 0.0
    ready: bool = True
    draining: bool = False
    impaired: bool = False
    egress_bps: Bps = 0.0
    interface_bps: Bps | None = None
    capacity_bps: Bps | None = None
    cpu: Share = 0.0
    machine_cpu: Share = 0.0
    connections: Count = 0
    disk: Disk | None = None
    requests_per_s: PerSecond = 0.0
    hits_per_s: PerSecond = 0.0
    errors_per_s: PerSecond = 0.0
    origin_requests_per_s: PerSecond = 0.0
    origin_errors_per_s: PerSecond = 0.0
    origin_bps: Bps = 0.0
    first_byte: Quantiles | None = None
    origin_wait: Quantiles | None = None
    flows: Annotated[
        dict[Name, Annotated[dict[Name, Flow], Meta(max_length=MOST_NAMES)]],
        Meta(max_length=MOST_NAMES),
    ] = {}
    shards: Annotated[
        dict[Name, Annotated[dict[Shard, Share], Meta(max_length=MOST_SHARDS)]],
        Meta(max_length=MOST_NAMES),
    ] = {}
    players: Annotated[dict[Name, Players], Meta(max_length=MOST_NAMES)] = {}
    siblings: Annotated[dict[Name, Asked], Meta(max_length=MOST_NAMES)] = {}
    decisions: Annotated[
        dict[
            Name,
            Annotated[
                dict[Name, Annotated[dict[Name, PerSecond], Meta(max_length=MOST_NAMES)]],
                Meta(max_length=MOST_NAMES),
            ],
        ],
        Meta(max_length=MOST_NAMES),
    ] = {}


_decoder = msgspec.json.Decoder(LoadReport)


def decode_report(
    data: bytes | bytearray | memoryview, *, node: str | None = None, oldest_s: float = math.inf
) -> LoadReport:
    """Return the report that a document says, of `node` and no older than `oldest_s`.

    Raises ReportError.
    """
    if len(data) > LARGEST_BYTES:
        raise ReportError(Fault.TOO_LARGE, f"a report has at most {LARGEST_BYTES} bytes")
    try:
        report = _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise ReportError(_kind(str(error)), str(error)[:300]) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ReportError(Fault.MALFORMED, str(error)[:300]) from error
    _check_sums(report)
    if node is not None and report.node != node:
        raise ReportError(Fault.OTHER_NODE, f"it is of {report.node!r}, not of {node!r}")
    if report.age_s > oldest_s:
        raise ReportError(Fault.OLD, f"it is {report.age_s:.1f} s old: more than {oldest_s:.1f} s")
    return report


def encode_report(report: LoadReport) -> bytes:
    """Return the document that says a report."""
    return msgspec.json.encode(report)


def _check_sums(report: LoadReport) -> None:
    """Check what no field says alone. Raises ReportError."""
    pairs = sum(len(by_class) for by_class in report.flows.values())
    routed = sum(len(sites) for one in report.decisions.values() for sites in one.values())
    shards = sum(len(one) for one in report.shards.values())
    if pairs > MOST_PAIRS or routed > MOST_PAIRS or shards > MOST_SHARDS:
        raise ReportError(Fault.EXCESSIVE, "it has too many flows, decisions or shards")
    for content, shares in report.shards.items():
        if sum(shares.values()) > 1.01:
            raise ReportError(Fault.EXCESSIVE, f"the shards of {content!r} are more than all of it")
    for players in report.players.values():
        if players.starved > players.reports:
            raise ReportError(Fault.INVALID, "more players starved than reported")


def _kind(problem: str) -> Fault:
    """Return of which kind a problem is, by how msgspec says which bound was passed."""
    if ">= 0" in problem or "> 0" in problem:
        return Fault.NEGATIVE
    if "<= " in problem or "out of range" in problem:
        return Fault.EXCESSIVE
    return Fault.INVALID
