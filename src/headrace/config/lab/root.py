"""The root of a lab's topology: its model, its checks and its page."""

from __future__ import annotations

from pathlib import Path

from headrace.config.lab.consistency import inconsistencies
from headrace.config.lab.model import LabConfig
from headrace.config.root import Page, Root

LAB = Root(
    LabConfig,
    inconsistencies,
    page=Page(
        Path("docs/reference/lab.md"),
        """\
This page is generated from the schema. `headrace lab up --topology lab.toml` reads such a file.
[The lab](../vip/lab.md) shows what it comes to.
""",
        "",
        title="Reference of a lab's topology",
    ),
)
"""The whole of a topology."""
