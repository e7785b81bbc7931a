"""The models of demand: what there is to watch, who watches when, and what everybody watches."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from headrace.config.base import Model
from headrace.config.network.words import Name
from headrace.config.units import BitRateBps, DurationS

MOST_TITLES = 5_000_000
MOST_CHUNKS = 1_000_000
MOST_VIEWERS = 50_000_000
DAY_S = 86400.0
_Share = Annotated[float, Field(gt=0, le=1e6)]
_Hour = Annotated[float, Field(ge=0, le=1)]
_BitRate = Annotated[BitRateBps, Field(ge=1000, le=10**10)]
_HostText = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9.-]+$")]
_PathText = Annotated[
    str, Field(min_length=2, max_length=512, pattern=r"^/[\x21-\x7e]*\{title\}[\x21-\x7e]*$")
]
_CACHE_CONTROL = "How origins tell caches to treat it: the field Cache-Control."


class _Watched(Model):
    """What every kind of content has."""

    name: Name = Field(description="A unique short name.")
    host: _HostText = Field(description="The host that it is asked for at.")
    path: _PathText = Field(
        default="/{title}/{chunk}",
        description="The path of a piece: `{title}` stands for the title, `{chunk}` for the number "
        "of the piece. Host and path say of which class it is.",
    )
    chunk_s: DurationS = Field(
        default=6.0,
        gt=0.1,
        le=3600,
        description="The length of what one request brings. Longer pieces make a simulation "
        "quicker and coarser.",
    )
    bit_rate_bps: _BitRate = Field(default=5_000_000, description="The rate of the video.")


class CatalogueTable(_Watched):
    """Titles to choose from, some more popular than others."""

    titles: int = Field(ge=1, le=MOST_TITLES, description="How many there are.")
    zipf: float = Field(
        default=0.9,
        ge=0,
        le=3,
        description="The title of rank r is asked for in proportion to r to the power of minus "
        "this.",
    )
    length_s: DurationS = Field(default=3600.0, gt=1, le=DAY_S, description="How long a title is.")
    new_per_day: float = Field(
        default=0.0,
        ge=0,
        le=1e6,
        description="So many of the titles are released each day, evenly; the others are old. 0: "
        "popularity does not change.",
    )
    half_life_s: DurationS = Field(
        default=2 * DAY_S,
        gt=60,
        description="The time in which the popularity of a released title falls by half, down to "
        "`old_share`.",
    )
    old_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="What an old title is asked for, beside the same one on the day of its "
        "release.",
    )
    cache_control: str = Field(default="max-age=86400", max_length=1024, description=_CACHE_CONTROL)

    @model_validator(mode="after")
    def _has_few_pieces(self) -> Self:
        _check_chunks(self.length_s, self.chunk_s)
        return self


class LiveTable(_Watched):
    """An event that everybody watches at the same moment, always the newest piece."""

    at_s: DurationS = Field(description="When it begins.")
    length_s: DurationS = Field(default=7200.0, gt=1, le=7 * DAY_S, description="How long it is.")
    viewers: int = Field(ge=1, le=MOST_VIEWERS, description="How many watch when all have come.")
    ramp_s: DurationS = Field(
        default=600.0,
        gt=0,
        description="The time in which they come, the most of them in the middle. It begins with "
        "the event.",
    )
    channels: int = Field(
        default=1, ge=1, le=1000, description="Among so many channels, all alike, they choose."
    )
    behind: int = Field(
        default=2, ge=0, le=100, description="A player is so many pieces behind the newest."
    )
    leave_s: DurationS = Field(
        default=0.0, description="How long a viewer stays on the average. 0: to the end."
    )
    networks: list[Name] = Field(
        default=[], max_length=1000, description="The audiences that watch. Unset: all."
    )
    cache_control: str = Field(default="max-age=3600", max_length=1024, description=_CACHE_CONTROL)

    @model_validator(mode="after")
    def _has_few_pieces(self) -> Self:
        _check_chunks(self.length_s, self.chunk_s)
        return self


def _check_chunks(length_s: float, chunk_s: float) -> None:
    if length_s / chunk_s > MOST_CHUNKS:
        raise ValueError(f"more than {MOST_CHUNKS:,} pieces: make chunk longer")


class AudienceTable(Model):
    """Viewers of a network, and when they watch."""

    network: Name = Field(description="The network of the description whose clients they are.")
    viewers: int = Field(
        ge=1, le=MOST_VIEWERS, description="How many watch at once at the height of the day."
    )
    session_s: DurationS = Field(
        default=2400.0, gt=1, le=DAY_S, description="How long one watches a title on the average."
    )
    catalogues: dict[Name, _Share] = Field(
        default={},
        max_length=100,
        description="What they choose from, by the catalogue's name, as weights. Unset: all alike.",
    )
    curve: list[_Hour] = Field(
        default=[],
        max_length=24,
        description="How many of them watch at each hour of the day, from 0 to 1: 24 numbers. "
        "Unset: a usual day, with its height at nine in the evening.",
    )
    places: int = Field(
        default=200,
        ge=1,
        le=100_000,
        description="They are in so many client networks (of /24 or /48), all alike.",
    )

    @model_validator(mode="after")
    def _has_each_hour(self) -> Self:
        if len(self.curve) not in {0, 24}:
            raise ValueError("a curve has 24 numbers, for each hour one: write all, or none")
        return self
