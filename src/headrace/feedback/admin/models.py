"""What the admin API of a feedback process takes and returns."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from headrace.feedback.orders import LONGEST_REASON

MOST_LINES = 10_000
USUAL_LINES = 50

Subject = Annotated[
    str,
    Meta(min_length=1, max_length=512, description="A server or a site.", examples=["north-1"]),
]
Words = Annotated[str, Meta(max_length=LONGEST_REASON)]


class ServerRow(msgspec.Struct):
    """A server: its state, since when, why, its weight, and what it sends (bits per second, and as
    a share of what it can).

    `probes` are the last outcomes by observer; `total_s` is what the last probe of this observer
    took. `wish` is an operator's. `seen` is what the view says of it, where that is not what its
    state would have there: the view is frozen, or not of this observer.
    """

    server: str
    site: str
    state: str
    for_s: float
    weight: float
    reasons: list[str] = []
    probes: dict[str, str] = {}
    total_s: float | None = None
    egress_bps: float | None = None
    used: float | None = None
    penalty: float = 0.0
    suppressed: bool = False
    wish: str = ""
    seen: str = ""


class SiteRow(msgspec.Struct):
    """A site: how many of its servers take new clients, what these can send, what all of it sends,
    and up to which share of its capacity it is to be used.
    """

    site: str
    kind: str
    servers: int
    serving: int
    capacity_bps: float
    target: float
    egress_bps: float | None = None
    used: float | None = None


class ObserverRow(msgspec.Struct):
    """An observer, how long ago it was heard (null: never), and what it says of itself."""

    observer: str
    age_s: float | None
    awake: bool = False
    decides: str = ""
    hears: list[str] = []
    probes: int = 0
    network: str = ""
    problem: str = ""


class AlarmRow(msgspec.Struct):
    """Something that the loop cannot settle by itself. `subject` "": the whole network. `remedy` is
    what people do about it.
    """

    kind: str
    subject: str
    text: str
    remedy: str = ""


class Status(msgspec.Struct):
    """The loop as this observer knows it. `decides`: who decides, "" while nobody does.
    `overruled`: orders that another overrules, in words. `not_kept`: what could not be written to
    `state_dir`, and why.
    """

    observer: str
    decides: str
    awake: bool
    mode: str
    frozen: bool
    frozen_because: str
    view: int
    view_age_s: float | None
    lateness_s: float
    servers: list[ServerRow]
    sites: list[SiteRow]
    observers: list[ObserverRow]
    alarms: list[AlarmRow]
    coverage: dict[str, dict[str, float]] = {}
    by_class: dict[str, dict[str, dict[str, float]]] = {}
    frozen_by: str = ""
    overruled: list[str] = []
    not_kept: dict[str, str] = {}


class WhyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which server or site."""

    name: Subject


class Because(msgspec.Struct):
    """The chain from what was observed to what is published, a sentence a line."""

    name: str
    kind: Literal["server", "site", ""]
    lines: list[str]


class DryRun(msgspec.Struct):
    """What the balance comes to, a sentence a line. `applied`: its weights are in the view."""

    mode: str
    applied: bool
    lines: list[str]


class HistoryRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the history."""

    limit: Annotated[int, Meta(ge=1, le=MOST_LINES, description="So many events at most.")] = (
        USUAL_LINES
    )
    about: Annotated[str, Meta(max_length=512, description="Of this server or site alone.")] = ""


class FreezeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stop the automation (`frozen`), or let it run again, and why."""

    frozen: bool
    reason: Words = ""
    by: Words = ""


class WishRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wanted of a server, or of all servers of a site that have no wish of their own.

    `none` takes the last wish back. `for_s`: it ends by itself after so many seconds.
    """

    name: Subject
    wish: Literal["online", "draining", "withdrawn", "none"]
    reason: Words = ""
    by: Words = ""
    for_s: Annotated[float, Meta(gt=0, le=366 * 86400.0)] | None = None


class ModeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another mode than the configured one; `configured` goes back to that."""

    mode: Literal["states", "dry_run", "both", "configured"]
    by: Words = ""


class Done(msgspec.Struct):
    """It is known here, and told to the other observers. `sequence` is the order's number, among
    those that this `observer` took.
    """

    sequence: int
    observer: str = ""


class OrderRow(msgspec.Struct):
    """An order that no other replaced: of what (`kind` is `server`, `site`, `view` or `mode`), what
    is wanted (`none`: nothing any more), who gave it, and which observer took it when, in Unix
    time.

    `state`: `in_force`; `overruled` by another, `overruled_by`, that was given without knowledge of
    it; `over`; `taken_back` for one that takes others back. `known_by` are the observers that have
    said that they know it, `heard_without` those that are heard and do not know it yet.
    """

    kind: Literal["server", "site", "view", "mode"]
    subject: str
    wants: str
    state: Literal["in_force", "overruled", "over", "taken_back"]
    by: str
    reason: str
    observer: str
    sequence: int
    at: float
    until: float | None = None
    overruled_by: str = ""
    known_by: list[str] = []
    heard_without: list[str] = []


class OrderList(msgspec.Struct):
    """All orders, the newest first, and the observers that are not heard. `aside`: the one that
    was asked is cut off, and publishes nothing. `kept`: it has written them down; `not_kept` says
    why it could not, "" for nothing.
    """

    orders: list[OrderRow]
    not_heard: list[str]
    aside: bool = False
    kept: bool = True
    not_kept: str = ""
