"""What version 1 knows of servers, and what it says of a change. Values for memory and the wire."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.damping import MOST_PENALTY
from headrace.feedback.observation import Age, InARow, Name, Outcome

MOST_SERVERS = 100_000
MOST_REASONS = 8
MOST_STEPS = 2**53

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class State(enum.StrEnum):
    """The state of a server. What each means for clients stands in `table`."""

    ONLINE = "online"
    SUSPECT = "suspect"
    FAILED = "failed"
    RECOVERING = "recovering"
    DRAINING = "draining"
    WITHDRAWN = "withdrawn"
    FULL = "full"


SERVING = frozenset({State.ONLINE, State.SUSPECT, State.RECOVERING, State.FULL})
"""States in which a server serves as far as observations say."""


class Why(enum.StrEnum):
    """Why a server's state is what it is; `meanings` says what each means."""

    OPERATOR = "operator"
    SCHEDULE = "schedule"
    DESCRIPTION = "description"
    NODE_DRAINS = "node_drains"
    VIPS_AWAY = "vips_away"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TLS = "tls"
    MALFORMED = "malformed"
    STATUS = "status"
    WRONG_BYTES = "wrong_bytes"
    CUT = "cut"
    SLOW = "slow"
    LOSSY = "lossy"
    NOT_READY = "not_ready"
    IMPAIRED = "impaired"
    NO_REPORT = "no_report"
    OTHERS_FAIL = "others_fail"
    NO_QUORUM = "no_quorum"
    OVERLOADED = "overloaded"
    OVER_CAPACITY = "over_capacity"
    SERVES = "serves"
    RAMPED = "ramped"
    NEW = "new"
    DAMPED = "damped"
    FLOOR = "floor"
    LAST = "last"
    MASS_FAILURE = "mass_failure"
    SITE_LOST = "site_lost"
    FEW_OBSERVERS = "few_observers"


class AlarmKind(enum.StrEnum):
    """What the loop cannot settle by itself; `meanings` says what each means."""

    MASS_FAILURE = "mass_failure"
    SITE_FAILURE = "site_failure"
    FEW_OBSERVERS = "few_observers"
    UNSOUND_OBSERVER = "unsound_observer"
    FLOOR = "floor"
    LAST = "last"
    UNPROBED = "unprobed"
    OBSERVERS_DIFFER = "observers_differ"
    SENIOR_DIFFERS = "senior_differs"
    CLOCKS_DIFFER = "clocks_differ"
    ASIDE = "aside"


class Alarm(msgspec.Struct, frozen=True, order=True):
    """An alarm about a site, a server or an observer ("": the whole network)."""

    kind: AlarmKind
    subject: Annotated[str, Meta(max_length=512)] = ""
    text: Annotated[str, Meta(max_length=1024)] = ""


class Evidence(msgspec.Struct, frozen=True):
    """What one observer said of a server: its last probe, and how often in a row so."""

    observer: Name
    outcome: Outcome
    age_s: Age
    failures: InARow = 0
    slow: InARow = 0
    successes: InARow = 0


class Change(msgspec.Struct, frozen=True):
    """A change of a server's state, at a Unix time, and all it came of."""

    at: float
    server: Name
    site: Name
    before: State
    after: State
    reasons: tuple[Why, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    note: str = ""
    """An operator's words."""


class ServerRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a server from one step to the next. Times are ages.

    `for_s` is how long it has been in its state, `ramp` how far it has returned, `penalty` what
    its flaps left, `load_s` how long its load has been past the threshold that would change its
    state, `silent_s` how long it has not reported (None: it never did). `relief` is the share of
    its weight that its load leaves it, `mark` the load that says whether the last change of that
    has taken effect, `calm_s` how long there was none past it. `shut`: its whole site is full.
    `raised`: its relief has risen since it was lowered; `wait_s` is how long it waits to rise.
    `left`: it failed when it had drained: nobody wonders.
    """

    state: State = State.ONLINE
    for_s: Age = 0.0
    reasons: Annotated[tuple[Why, ...], Meta(max_length=MOST_REASONS)] = ()
    ramp: Share = 1.0
    penalty: Annotated[float, Meta(ge=0.0, le=MOST_PENALTY)] = 0.0
    suppressed: bool = False
    load_s: Age = 0.0
    silent_s: Age | None = None
    relief: Share = 1.0
    mark: Annotated[float, Meta(ge=0.0, le=1e3)] = 0.0
    calm_s: Age = 0.0
    shut: bool = False
    raised: bool = False
    wait_s: Age = 0.0
    left: bool = False


class SiteRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a site that is full as a whole, or was so lately: `share` is the part of its
    clients that it keeps, the others as of a server's relief."""

    share: Share = 1.0
    mark: Annotated[float, Meta(ge=0.0, le=1e3)] = 0.0
    calm_s: Age = 0.0
    raised: bool = False
    wait_s: Age = 0.0


class States(msgspec.Struct, frozen=True, omit_defaults=True):
    """All servers' records by name. `steps` is how often there was a step (0: never), `few_s` how
    long too few observers could be believed. `sites` has those that are not as if they had never
    been full.
    """

    servers: Annotated[dict[Name, ServerRecord], Meta(max_length=MOST_SERVERS)] = {}
    steps: Annotated[int, Meta(ge=0, le=MOST_STEPS)] = 0
    few_s: Age = 0.0
    sites: Annotated[dict[Name, SiteRecord], Meta(max_length=MOST_SERVERS)] = {}
