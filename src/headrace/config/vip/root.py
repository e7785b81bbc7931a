"""The root of the configuration of VIPs: its model and its checks."""

from __future__ import annotations

from pathlib import Path

from headrace.config.root import Page, Root
from headrace.config.vip.consistency import inconsistencies
from headrace.config.vip.machine_check import machine_problems
from headrace.config.vip.model import VipConfig

VIP = Root(
    VipConfig,
    inconsistencies=inconsistencies,
    machine_problems=machine_problems,
    page=Page(
        Path("docs/reference/vip.md"),
        """\
This page is generated from the schema. `headrace check vip.toml` validates a file and prints
the effective configuration, every default included.
""",
        "A complete example is in [`vip.toml`](../examples/vip.toml).\n",
        title="Configuration of VIPs",
    ),
)
