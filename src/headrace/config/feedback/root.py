"""The root of a feedback process's configuration: its model and its checks."""

from __future__ import annotations

from pathlib import Path

from headrace.config.feedback.consistency import inconsistencies
from headrace.config.feedback.machine_check import machine_problems
from headrace.config.feedback.model import FeedbackConfig
from headrace.config.root import Page, Root

FEEDBACK = Root(
    FeedbackConfig,
    inconsistencies=inconsistencies,
    machine_problems=machine_problems,
    page=Page(
        Path("docs/reference/feedback.md"),
        """\
This page is generated from the schema. `headrace check feedback.toml` validates a file and prints
the effective configuration, every default included.
""",
        "A complete example is in [`feedback.toml`](../examples/feedback.toml).\n",
        title="Configuration of the feedback loop",
    ),
)
