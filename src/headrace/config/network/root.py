"""The root of a network's description: its model and its page."""

from __future__ import annotations

from pathlib import Path

from headrace.config.network.consistency import inconsistencies
from headrace.config.network.model import NetworkConfig
from headrace.config.root import Page, Root

NETWORK = Root(
    NetworkConfig,
    inconsistencies,
    page=Page(
        Path("docs/reference/network.md"),
        """\
This page is generated from the schema. `headrace network check network.toml` validates a file.
[The description of a network](../network/description.md) says what it is for. Bit rates are bits
per second (`1000000`) or texts (`"800Mbps"`, `"10Gbps"`).
""",
        "A complete example is in [`network.toml`](../examples/network.toml).\n",
        title="Reference of the network's description",
    ),
)
