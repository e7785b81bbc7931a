"""The root of a drill's scenario: its model, its checks and its page."""

from __future__ import annotations

from pathlib import Path

from headrace.config.drill.consistency import inconsistencies
from headrace.config.drill.model import DrillConfig
from headrace.config.root import Page, Root

DRILL = Root(
    DrillConfig,
    inconsistencies,
    page=Page(
        Path("docs/reference/drill.md"),
        """\
This page is generated from the schema. `headrace lab drill drill.toml` reads such a file.
[Drills](../vip/drills.md) shows what comes of it.
""",
        "",
        title="Reference of a drill",
    ),
)
"""The whole of a scenario."""
