"""The root of an edge's configuration: its model, its checks and its former words."""

from __future__ import annotations

from pathlib import Path

from headrace.config.edge.consistency import inconsistencies
from headrace.config.edge.machine_check import machine_problems
from headrace.config.edge.model import Config
from headrace.config.root import Page, Root

EDGE = Root(
    Config,
    inconsistencies,
    machine_problems,
    renamed={
        "site": "service",
        "sites_max": "services_max",
        "policy": "retry",
        "shadow": "mirror",
        "server_name": "node_id",
    },
    page=Page(
        Path("docs/reference/configuration.md"),
        """\
This page is generated from the schema. `headrace check edge.toml` validates a file and prints the
effective configuration, every default included; `headrace check --schema` prints the schema as
JSON.
""",
        "A complete example is in [`edge.toml`](../examples/edge.toml).\n",
    ),
)
