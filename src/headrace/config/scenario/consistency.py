"""Problems of a scenario that span several tables, each fine by itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.problems import Problem
from headrace.config.scenario.model import ScenarioConfig

MOST_INTERVALS = 1_000_000


def inconsistencies(config: ScenarioConfig) -> list[Problem]:
    """Return every such problem."""
    return [
        *_nothing_asked(config),
        *_repeated(config),
        *_repeated_variants(config),
        *_unknown_catalogues(config),
        *_unknown_audiences(config),
        *_too_long(config),
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
