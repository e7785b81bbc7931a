"""The root of a router's configuration: its model and its checks."""

from __future__ import annotations

from pathlib import Path

from headrace.config.root import Page, Root
from headrace.config.router.machine_check import machine_problems
from headrace.config.router.model import RouterConfig

ROUTER = Root(
    RouterConfig,
    machine_problems=machine_problems,
    page=Page(
        Path("docs/reference/router.md"),
        """\
This page is generated from the schema. `headrace check router.toml` validates a file and prints the
effective configuration, every default included.
""",
        "A complete example is in [`router.toml`](../examples/router.toml).\n",
        title="Configuration of a router",
    ),
)
