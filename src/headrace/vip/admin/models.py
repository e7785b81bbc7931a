"""What the admin API of VIPs takes and returns."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

MOST_EVENTS = 1000
LONGEST_S = 30 * 86_400.0

Words = Annotated[str, Meta(max_length=300)]


class VipRow(msgspec.Struct):
    """A VIP: whose it is, this server's place among its candidates (0: the owner's), how and why it
    is announced or not, and what the checks of it say.

    `announced` is the route in words ("": none); `acknowledged`: the speaker has taken it; `bound`:
    a check found the address on this machine. `holder` is the server whose announcement is the best
    of those that this server knows ("": nobody's), `unless` are those that may have it rather: they
    come before the holder, and it is not known what they announce.
    """

    vip: str
    owner: str
    rank: int
    standing: str
    why: str
    meaning: str
    note: str
    announced: str
    acknowledged: bool
    soundness: str
    damped: bool
    check: str
    checked_s: float | None
    for_s: float
    bound: bool
    holder: str = ""
    unless: list[str] = []


class BfdRow(msgspec.Struct):
    """BFD with a router: for how long it is up or down (null: not heard yet), and why."""

    up: bool | None
    for_s: float
    detail: str
    remedy: str


class SessionRow(msgspec.Struct):
    """A session with a router, for how long it is up or down, and why. `bfd` is null where the
    router is not watched by BFD from here.
    """

    router: str
    name: str
    up: bool
    for_s: float
    reason: str
    detail: str
    remedy: str
    received: int
    bfd: BfdRow | None = None


class NeighbourRow(msgspec.Struct):
    """Another server of the site, as this one knows it. `clients` are the connections that it has
    left (null: not counted; it counts while it leaves).
    """

    server: str
    soundness: str
    leaving: bool
    announces: list[str]
    age_s: float
    problem: str
    clients: int | None = None


class EdgeRow(msgspec.Struct):
    """The edge on this machine (null: not known)."""

    draining: bool | None
    connections: int | None
    unready: str
    problem: str


class HandoverRow(msgspec.Struct):
    """What is passed on to servers that may know it: `to` has the server by VIP, the rest counts
    packets and bytes since the start; `passed_s` and `taken_s` are how long ago the last one was.
    `refused` were to the tunnel, and not what siblings pass on. `port` is where this server takes
    such packets (null: it takes none). `wanted`: it is to work by the configuration, and a problem
    is a complaint. `cookies`: SYNs are answered with cookies, so what is not known is taken too.
    `silent` are the VIPs of which nothing leaves, as the server is cut off, `silent_s` says for how
    long (null: it is not).
    """

    wanted: bool
    port: int | None
    problem: str
    to: dict[str, str]
    passed: int
    taken: int
    over: int
    passed_bytes: int = 0
    taken_bytes: int = 0
    passed_s: float | None = None
    taken_s: float | None = None
    refused: int = 0
    cookies: bool = False
    silent: list[str] = []
    silent_s: float | None = None


class OrderRow(msgspec.Struct):
    """What an operator ordered."""

    state: str
    reason: str
    by: str
    at: float
    until: float | None
    force: bool


class Status(msgspec.Struct):
    """All that this server knows of its VIPs. `clients` are the connections that they have, counted
    while the server leaves (null: not counted). `handover` is null where it is turned off.
    `view_age_s` is how long ago the feedback loop made the view that this server has (null: none).
    `coverage_waiting` counts changes of learnt coverage that wait for approval, `coverage_alarms`
    coverage of which too much is announced.
    """

    server: str
    site: str
    phase: str
    phase_s: float
    order: OrderRow | None
    wanted: str
    wanted_note: str
    speaker: str
    speaker_problem: str
    addresses_problem: str
    state_problem: str
    plan_age_s: float
    view: int
    clients: int | None
    edge: EdgeRow | None
    vips: list[VipRow]
    sessions: list[SessionRow]
    neighbours: list[NeighbourRow]
    handover: HandoverRow | None = None
    view_age_s: float | None = None
    coverage_waiting: int = 0
    coverage_alarms: int = 0


class Explained(msgspec.Struct):
    """The reasons, as lines."""

    lines: list[str]


class EventRow(msgspec.Struct):
    """Something that changed, at a Unix time."""

    at: float
    kind: str
    about: str
    detail: str


class EventList(msgspec.Struct):
    """The last ones, the newest first."""

    events: list[EventRow]


class ExplainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which VIP."""

    vip: Annotated[
        str, Meta(max_length=45, description="The address.", examples=["198.51.100.129"])
    ]


class EventsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events."""

    limit: Annotated[
        int, Meta(ge=1, le=MOST_EVENTS, description="So many at most.", examples=[20])
    ] = 50
    about: Annotated[
        str,
        Meta(
            max_length=128,
            description="Of this VIP, or router by name or address, alone.",
            examples=[""],
        ),
    ] = ""


class DrainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the server is to leave."""

    reason: Annotated[Words, Meta(description="Why.", examples=["new disks"])] = ""
    by: Annotated[Words, Meta(description="Who orders it.", examples=["ada@desk"])] = ""
    for_s: Annotated[
        Annotated[float, Meta(gt=0, le=LONGEST_S)] | None,
        Meta(description="It returns by itself after so long."),
    ] = None
    now: Annotated[
        bool, Meta(description="Do not wait for connections to end: be worse at once.")
    ] = False
    force: Annotated[
        bool, Meta(description="Be out at once, whoever else serves: connections are cut.")
    ] = False


class ReturnRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That the server is to serve again."""

    by: Annotated[Words, Meta(description="Who orders it.", examples=["ada@desk"])] = ""


class Done(msgspec.Struct):
    """The order is in force. `phase` is how far the server is, `wanted` what is wanted of it now,
    by whom `note`. An order to leave ends at the Unix time `until` (null: when it is taken back);
    `replaced` says that it stands in place of another, which had an end of its own or none.
    `state_problem` is why orders cannot be written down: a restart then forgets this one.
    """

    phase: str
    wanted: str
    note: str
    until: float | None = None
    replaced: OrderRow | None = None
    state_problem: str = ""


class CoverageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which change of which coverage."""

    coverage: Annotated[
        str, Meta(max_length=128, description="The coverage.", examples=["north-oslo"])
    ]
    digest: Annotated[
        str, Meta(max_length=64, description="The change that waits.", examples=["1f2e3d4c5b6a"])
    ]
    by: Annotated[Words, Meta(description="Who decides it.", examples=["ada@desk"])] = ""
