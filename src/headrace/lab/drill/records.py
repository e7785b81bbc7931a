"""What a drill's client is told to do, and what it brings back. Values alone.

All times are of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

MOST_ATTEMPTS = 400_000
WAITS = b"waits\n"
"""What a client writes when it waits for its orders; its record comes behind."""
MOST_TARGETS = 200
Outcome = Literal[
    "ok", "refused", "unreachable", "timeout", "reset", "tls", "status", "wrong", "short",
    "refrained",
]  # fmt: skip
"""`tls`: no handshake, or a certificate of somebody else. `wrong`: a whole body with other bytes.
`short`: it ended early. `refrained`: the client had too much open to begin, or was too late."""

Reached = Literal["", "connecting", "asked", "answered"]
"""How far a request came that failed: there was no connection yet; there was one, and nothing came;
something came. Empty where it is not known."""

Interval = Annotated[float, msgspec.Meta(gt=0, le=60)]


class Body(msgspec.Struct, frozen=True):
    """An object, and what its body has to be."""

    path: str
    size: int
    sha256: str


class Target(msgspec.Struct, frozen=True):
    """A VIP that is asked again and again by new connections, `secure` ones by TLS."""

    host: str
    port: int
    every_s: Interval
    phase_s: float = 0.0
    secure: bool = False


class Asked(msgspec.Struct, frozen=True):
    """A request router that is asked again and again: by DNS for a name, or by HTTP."""

    host: str
    port: int
    kind: Literal["dns", "http"]
    every_s: Interval


class Named(msgspec.Struct, frozen=True):
    """The host that is asked as people's clients do: at an address that DNS gave, which is kept
    for `hold_s`.
    """

    port: int
    every_s: Interval
    hold_s: float


class Orders(msgspec.Struct, frozen=True):
    """Everything that a client does, from `from_s` to `until_s` at the latest. `ca` is a file of
    authorities.
    """

    from_s: float
    until_s: float
    name: str
    small: Body
    long: Body
    patience_s: float
    targets: Annotated[list[Target], msgspec.Meta(max_length=MOST_TARGETS)] = []
    downloads: Annotated[list[Target], msgspec.Meta(max_length=MOST_TARGETS)] = []
    download_s: float = 10.0
    asked: Annotated[list[Asked], msgspec.Meta(max_length=MOST_TARGETS)] = []
    named: Named | None = None
    ca: str = ""


class Attempt(msgspec.Struct, frozen=True, array_like=True):
    """A request on a connection of its own. `server` is who says that it answered. `host` is the
    name, where the address was one that DNS gave. `resumed`: a session of TLS was (None: there was
    none to resume).
    """

    host: str
    planned_s: float
    began_s: float
    ended_s: float
    outcome: Outcome
    server: str = ""
    resumed: bool | None = None
    reached: Reached = ""

    @property
    def late_s(self) -> float:
        """Return how late it was for the client's own fault."""
        return self.began_s - self.planned_s


class Download(msgspec.Struct, frozen=True, array_like=True):
    """A long download."""

    host: str
    began_s: float
    ended_s: float
    outcome: Outcome
    bytes: int


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """Where a request router sends clients. Empty where it said nothing."""

    kind: Literal["dns", "http"]
    began_s: float
    places: list[str]


class Record(msgspec.Struct):
    """What one client saw."""

    client: str
    attempts: list[Attempt] = []
    downloads: list[Download] = []
    answers: list[Answer] = []
