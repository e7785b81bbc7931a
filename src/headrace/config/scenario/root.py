"""The root of a scenario: its model, its checks and its page."""

from __future__ import annotations

from pathlib import Path

from headrace.config.root import Page, Root
from headrace.config.scenario.consistency import inconsistencies
from headrace.config.scenario.model import ScenarioConfig

SCENARIO = Root(
    ScenarioConfig,
    inconsistencies,
    page=Page(
        Path("docs/reference/scenario.md"),
        """\
This page is generated from the schema. `headrace simulate scenario.toml` reads such a file. Times
such as `at`, `from` and `until` count from the beginning of the simulation.
""",
        "",
        title="Reference of a scenario",
    ),
)
