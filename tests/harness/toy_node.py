"""A node that carries the toy role, as processes under test."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

from tests.harness.supervised import PATIENCE_S, Supervised


class Toy(Supervised):
    """A toy's processes under test."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, module="tests.harness.toy_role")

    def write_toy(self, greeting: str, *, admin: str = "127.0.0.1:0", more: str = "") -> None:
        """Write its configuration file."""
        self.file.write_text(
            f"""
node_id = "toy-1"
workers = 2
{greeting}
directory = "{self.cache_dir}"
{more}
[[listen]]
address = "127.0.0.1:0"
[admin]
listen = "{admin}"
"""
        )

    def get(self) -> tuple[int, str, bool]:
        """Return the status and text that a worker answers, and whether it closes."""
        parts = urlsplit(self.addresses[0])
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, PATIENCE_S)
        try:
            connection.request("GET", "/")
            response = connection.getresponse()
            closes = response.getheader("connection") == "close"
            return response.status, response.read().decode(), closes
        finally:
            connection.close()
