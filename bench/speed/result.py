"""What one machine found, as a file: one JSON for each machine, from which pages are drawn.

Files may come from strangers, so everything has a bound and names are of a few characters only.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import msgspec

FORMAT = 1
MOST_BYTES = 16_000_000
MOST_ROUNDS = 1000

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Letter = Annotated[str, msgspec.Meta(pattern=r"^[a-z][0-9]{0,2}$")]
Text = Annotated[str, msgspec.Meta(max_length=300, pattern=r"^[^\n\r<>|`\[\]]*$")]
Round = Annotated[int, msgspec.Meta(ge=0, lt=MOST_ROUNDS)]
Size = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Some = Annotated[list[float], msgspec.Meta(max_length=100_000)]
Costs = Annotated[dict[Name, dict[Size, float]], msgspec.Meta(max_length=20)]
Workers = dict[Text, dict[Size, Some]]


class BadResult(ValueError):
    """A file that is not a result of the bench."""


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured on. `stolen` is the share of time that other guests of the host had."""

    name: Name
    processor: Text
    aes: Text
    cores: int
    memory_gib: int
    kernel: Text
    python: Text
    openssl: Text
    date: Text
    versions: dict[Name, Text]
    instructions_counted: bool
    stolen: float | None = None


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One slice. `server`, `load` and `origin` are shares of a core that each took."""

    figure: float
    cpu_us: float | None = None
    instructions: float | None = None
    server: float | None = None
    load: float | None = None
    origin: float | None = None


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One work: a sample for each peer and round. `failures` says why a peer has none.

    `ceiling` is what the bare loop reaches, in the unit of the figures.
    """

    letter: Letter
    title: Text
    unit: Text
    more_is_better: bool
    samples: dict[Name, dict[Round, Sample]] = {}
    failures: dict[Name, Text] = {}
    ceiling: float | None = None


class Tail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times of single answers in ms, by peer and round, and which percentiles are of interest."""

    title: Text
    ranks: dict[Letter, float]
    ms: dict[Name, dict[Round, Some]] = {}


class SwitchingFound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a switch to another origin took, in one round."""

    requests: float
    connects: float
    connects_unkept: float
    whole_ms: float
    longer_ms: float
    left_after: float


class Aside(msgspec.Struct, forbid_unknown_fields=True):
    """What is not measured in slices.

    `fill_us` is processor time for storing one more object of 1 KB and `fill_s` how long all took,
    by peer and by how many; `connections_us` what an answer costs, by connections; `cold_ms` are
    the hits' p99 beside cold objects, beside warm ones and the quotient; `pools` is what a miss
    with three origins costs, as a multiple of one with one.
    """

    fill_us: Costs = {}
    fill_s: Costs = {}
    connections_us: Costs = {}
    workers_us: Workers = {}
    workers_per_s: Workers = {}
    cold_ms: dict[Name, list[tuple[float, float, float]]] = {}
    pools: Some = []
    switching: list[SwitchingFound] = []
    notes: list[Text] = []


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that one machine found."""

    format: int
    machine: Machine
    slice_s: float
    took_s: float
    peers: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=20)]
    works: Annotated[list[Measured], msgspec.Meta(max_length=200)]
    tails: Annotated[list[Tail], msgspec.Meta(max_length=20)]
    aside: Aside


def plain(text: object) -> str:
    """Words of others as one short line that a page can hold."""
    kept = "".join(" " if each in "\n\r<>|`[]" else each for each in str(text))
    return " ".join(kept.split())[:300]


def encoded(result: Result) -> bytes:
    """The file."""
    return msgspec.json.encode(result) + b"\n"


def decoded(data: bytes) -> Result:
    """Raises BadResult."""
    if len(data) > MOST_BYTES:
        raise BadResult(f"a result has at most {MOST_BYTES:,} bytes")
    try:
        found = msgspec.json.decode(data, type=Result)
    except msgspec.MsgspecError as error:
        raise BadResult(str(error)) from error
    if found.format != FORMAT:
        raise BadResult(f"format {found.format} is unknown here: measure again")
    return found


def load(path: Path) -> Result:
    """Raises BadResult, OSError."""
    with path.open("rb") as file:
        return decoded(file.read(MOST_BYTES + 1))


def rounded(value: float, digits: int = 5) -> float:
    """So many significant digits: more is noise, and makes files large."""
    if not value or not math.isfinite(value):
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))
