"""Problems of a scenario that span several tables, each fine by itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.problems import Problem
from headrace.config.scenario.model import ScenarioConfig

MOST_INTERVALS = 1_000_000
MOST_REQUESTS = 1_000_000_000
MOST_AT_ONCE = 5_000_000
"""So many viewers at once, titles, and networks of clients each, in the model that is run."""


def inconsistencies(config: ScenarioConfig) -> list[Problem]:
    """Return every such problem."""
    return [
        *_nothing_asked(config),
        *_repeated(config),
        *_repeated_variants(config),
        *_unknown_catalogues(config),
        *_unknown_audiences(config),
        *_too_long(config),
        *_too_much(config),
    ]


def _nothing_asked(config: ScenarioConfig) -> Iterator[Problem]:
    if not config.audiences:
        yield Problem(("audience",), "required, but missing", "add at least one [[audience]] table")
    if not config.catalogues and not config.live:
        yield Problem(
            ("catalogue",), "there is nothing to watch", "add a [[catalogue]] or a [[live]] table"
        )


def _repeated(config: ScenarioConfig) -> Iterator[Problem]:
    seen: set[str] = set()
    for key, tables in (("catalogue", config.catalogues), ("live", config.live)):
        for index, table in enumerate(tables):
            if table.name in seen:
                yield Problem(
                    (key, index, "name"),
                    "another one has this name already",
                    "give each catalogue and each event a name of its own",
                    repr(table.name),
                )
            seen.add(table.name)


def _repeated_variants(config: ScenarioConfig) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, variant in enumerate(config.variants):
        if variant.name in seen:
            yield Problem(
                ("variant", index, "name"),
                "another variant has this name already",
                "give each variant a name of its own",
                repr(variant.name),
            )
        seen.add(variant.name)


def _unknown_catalogues(config: ScenarioConfig) -> Iterator[Problem]:
    known = [table.name for table in config.catalogues]
    for index, audience in enumerate(config.audiences):
        for name in audience.catalogues:
            if name not in known:
                yield Problem(
                    ("audience", index, "catalogues"),
                    "there is no catalogue of this name",
                    f"name one of {', '.join(known) or 'none'}",
                    repr(name),
                )


def _unknown_audiences(config: ScenarioConfig) -> Iterator[Problem]:
    known = {table.network for table in config.audiences}
    for index, event in enumerate(config.live):
        for name in event.networks:
            if name not in known:
                yield Problem(
                    ("live", index, "networks"),
                    "there is no audience of this network",
                    f"name one of {', '.join(sorted(known)) or 'none'}",
                    repr(name),
                )


def _too_long(config: ScenarioConfig) -> Iterator[Problem]:
    if config.length_s / config.interval_s > MOST_INTERVALS:
        yield Problem(
            ("interval",),
            f"more than {MOST_INTERVALS:,} intervals",
            "make interval longer, or length shorter",
            f"{config.interval_s:g}",
        )
    if config.warm_up_s >= config.length_s:
        yield Problem(
            ("warm_up",), "nothing is left to count", "make warm_up shorter than length",
            f"{config.warm_up_s:g}",
        )  # fmt: skip


def _too_much(config: ScenarioConfig) -> Iterator[Problem]:
    """Yield what no machine could run in a useful time, or keep in its memory."""
    remedy = "lower scale, so that a part stands for the whole, or make the scenario smaller"
    viewers = sum(table.viewers for table in config.audiences)
    viewers += sum(table.viewers for table in config.live)
    for key, count, most, what in (
        ("audience", _requests(config) * config.scale, MOST_REQUESTS, "requests"),
        ("audience", viewers * config.scale, MOST_AT_ONCE, "viewers at once"),
        (
            "catalogue",
            sum(table.titles for table in config.catalogues) * config.scale,
            MOST_AT_ONCE,
            "titles",
        ),
        (
            "audience",
            float(sum(table.places for table in config.audiences)),
            MOST_AT_ONCE,
            "networks of clients",
        ),
    ):
        if count > most:
            yield Problem((key,), f"{count:,.0f} {what}, of {most:,} at most", remedy)


def _requests(config: ScenarioConfig) -> float:
    """Return how many requests there are if all viewers watch all the time."""
    chunks = {table.name: table.chunk_s for table in config.catalogues}
    count = 0.0
    for audience in config.audiences:
        shortest = min((chunks[name] for name in audience.catalogues if name in chunks), default=0)
        shortest = shortest or min(chunks.values(), default=0)
        if shortest:
            count += audience.viewers * config.length_s / shortest
    for event in config.live:
        left_s = max(0.0, config.length_s - event.at_s)
        count += event.viewers * min(event.length_s, left_s) / event.chunk_s
    return count
