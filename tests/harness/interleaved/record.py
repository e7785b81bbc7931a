"""Who takes part in a scene, and what happened in it: what the rules look at."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.harness.interleaved.ground import Ground, Trouble
from tests.harness.interleaved.origin import Answer, Asked, ok
from tests.harness.interleaved.worker import PlayedWorker
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.stepped_loop import SharedTime


@dataclass(frozen=True)
class Client:
    """A client and its steps: "asks", "reads 100", "reads all", "leaves".

    It reads all at once unless `reads` bounds it; every client is in a network of its own, unless
    `address` says otherwise.
    """

    name: str
    steps: tuple[str, ...] = ("asks",)
    worker: int = 0
    path: str = "/film"
    fields: tuple[str, ...] = ()
    reads: float = float("inf")
    address: str = ""
    method: str = "GET"


@dataclass(frozen=True)
class Story:
    """Who takes part and what has to hold.

    The n-th request to an origin gets the n-th of `answers`, all others the last. `before` are
    moves that are made first, in this order, each to its end. `may_fail`: a client may get an
    error. `collapses`: no slice is asked for twice at once. `most_asked` bounds the requests to
    origins. `stale`: what is no longer fresh may be served. With `silent` the origin leaves
    unanswered what the moves have not answered.
    """

    clients: tuple[Client, ...]
    answers: tuple[Answer, ...] = (ok(),)
    others: tuple[tuple[str, ...], ...] = ()
    before: tuple[str, ...] = ()
    workers: int = 1
    early: int = 0
    may_fail: bool = False
    collapses: bool = False
    most_asked: int = 1
    stale: bool = False
    silent: bool = False


@dataclass(eq=False)
class PlayedClient:
    """A client in a run. `at` is when it asked, in moves."""

    client: Client
    left: list[str]
    at: int = -1
    asked_s: float = 0.0
    exchange: MemoryExchange | None = None
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Purged:
    """A hard purge that was made."""

    at: int
    path: str


@dataclass(eq=False)
class Record:
    """What happened until now. `at` counts moves."""

    story: Story
    ground: Ground
    time: SharedTime = field(default_factory=SharedTime)
    trouble: Trouble = field(default_factory=Trouble)
    at: int = 0
    version: int = 1
    workers: list[PlayedWorker] = field(default_factory=list)
    clients: list[PlayedClient] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    purges: list[Purged] = field(default_factory=list)
    were_killed: bool = False
    were_spoiled: bool = False
