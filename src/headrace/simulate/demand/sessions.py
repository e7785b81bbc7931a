"""Sessions: one viewer who watches one title, piece after piece. Made for each interval of time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from headrace.config.scenario.demand import LiveTable
from headrace.simulate.content import Title
from headrace.simulate.demand.audience import Audience
from headrace.simulate.demand.catalogue import Catalogue
from headrace.simulate.demand.chance import draw_count
from headrace.simulate.node import Flow, Node

_JITTER_S = 1.0


class Session:
    """One viewer. It asks for the piece `chunk` at `next_s`, and ends before `end`.

    `node` is where it gets them; None before it knows, and where it knows no more. `flow` is what
    its server counts it under, `asks_s` when it asks the router again, if it does so by time;
    `waited_s` is for how long it has got nothing.
    """

    __slots__ = (
        "asks_s",
        "audience",
        "chunk",
        "client",
        "end",
        "flow",
        "next_s",
        "node",
        "title",
        "waited_s",
    )

    def __init__(
        self, audience: int, client: bytes, title: Title, chunk: int, end: int, next_s: float
    ) -> None:
        self.audience = audience
        self.client = client
        self.title = title
        self.chunk = chunk
        self.end = end
        self.next_s = next_s
        self.node: Node | None = None
        self.flow: Flow = ("", "")
        self.asks_s = 0.0
        self.waited_s = 0.0


class OnDemand:
    """Viewers who choose from catalogues."""

    def __init__(
        self,
        audiences: Sequence[Audience],
        catalogues: Mapping[str, Catalogue],
        numbers: itertools.count[int],
        *,
        scale: float,
    ) -> None:
        self._numbers = numbers
        self._scale = scale
        self._groups = [
            _Group(number, audience, catalogues) for number, audience in enumerate(audiences)
        ]

    def begin(self, now: float, length_s: float) -> Iterator[Session]:
        """Yield those who begin within an interval, and at the very beginning those who were there
        before.
        """
        for group in self._groups:
            share = group.audience.share_at(now) * self._scale
            if not group.choices:
                continue
            if now == 0.0:
                for _ in range(draw_count(group.chance, group.audience.table.viewers * share)):
                    yield self._make(group, now, length_s, is_new=False)
            rate = group.audience.table.viewers * share / group.mean_s
            for _ in range(draw_count(group.chance, rate * length_s)):
                yield self._make(group, now, length_s, is_new=True)

    def _make(self, group: _Group, now: float, within_s: float, *, is_new: bool) -> Session:
        chance = group.chance
        catalogue = group.choose()
        title = catalogue.draw(now, self._numbers)
        kind = title.kind
        watched = max(1, math.ceil(chance.expovariate(1 / group.session_s) / kind.chunk_s))
        first = 0 if is_new else int(chance.random() * title.chunks)
        # Those who are in the middle of something ask at any moment of a piece.
        starts_s = now + chance.random() * (within_s if is_new else kind.chunk_s)
        return Session(
            group.number, group.audience.draw(), title, first,
            min(title.chunks, first + watched), starts_s,
        )  # fmt: skip


class _Group:
    """An audience with what it chooses from."""

    def __init__(
        self, number: int, audience: Audience, catalogues: Mapping[str, Catalogue]
    ) -> None:
        self.number = number
        self.audience = audience
        self.chance = audience.chance
        self.session_s = audience.table.session_s
        weights = audience.table.catalogues or dict.fromkeys(catalogues, 1.0)
        self.choices = [catalogues[name] for name in weights]
        self._sums = list(itertools.accumulate(weights.values()))
        total = self._sums[-1] if self._sums else 1.0
        # A title ends whether one would watch on or not.
        self.mean_s = sum(
            weight / total * self.session_s
            * -math.expm1(-catalogues[name].table.length_s / self.session_s)
            for name, weight in weights.items()
        )  # fmt: skip

    def choose(self) -> Catalogue:
        """Return one of the catalogues."""
        if len(self.choices) == 1:
            return self.choices[0]
        drawn = self.chance.random() * self._sums[-1]
        return next(
            catalogue
            for catalogue, upto in zip(self.choices, self._sums, strict=True)
            if drawn < upto or upto == self._sums[-1]
        )


class Live:
    """The viewers of an event: they come along a ramp, and ask for each piece when it is there."""

    def __init__(
        self,
        table: LiveTable,
        channels: Sequence[Title],
        audiences: Sequence[Audience],
        chance: Random,
        *,
        scale: float,
    ) -> None:
        self.table = table
        self._channels = channels
        self._chance = chance
        watching = [
            (number, audience)
            for number, audience in enumerate(audiences)
            if not table.networks or audience.name in table.networks
        ]
        total = sum(audience.table.viewers for _number, audience in watching)
        self._groups = [
            (number, audience, table.viewers * scale * audience.table.viewers / total)
            for number, audience in watching
        ]
        self._come = [0] * len(self._groups)

    def begin(self, now: float, length_s: float) -> Iterator[Session]:
        """Yield those who come within an interval."""
        table = self.table
        share = _ramp((now + length_s - table.at_s) / table.ramp_s)
        if not share or now >= table.at_s + table.length_s:
            return
        for place, (number, audience, viewers) in enumerate(self._groups):
            coming = round(viewers * share) - self._come[place]
            self._come[place] += coming
            for _ in range(coming):
                joined_s = max(now, table.at_s) + self._chance.random() * length_s
                session = self._make(number, audience, joined_s)
                if session is not None:
                    yield session

    def _make(self, number: int, audience: Audience, joined_s: float) -> Session | None:
        table, chance = self.table, self._chance
        title = self._channels[int(chance.random() * len(self._channels))]
        newest = math.floor((joined_s - table.at_s) / table.chunk_s) - 1
        chunk = max(0, newest - table.behind)
        end = title.chunks
        if table.leave_s:
            stays = math.ceil(chance.expovariate(1 / table.leave_s) / table.chunk_s)
            end = min(end, chunk + max(1, stays))
        there_s = table.at_s + (chunk + 1 + table.behind) * table.chunk_s
        first_s = max(joined_s, there_s) + chance.random() * min(_JITTER_S, table.chunk_s / 4)
        return Session(number, audience.draw(), title, chunk, end, first_s) if chunk < end else None


def _ramp(share: float) -> float:
    """Return which share has come, after this share of the time: few at first, few at the end."""
    within = min(max(share, 0.0), 1.0)
    return within * within * (3 - 2 * within)
