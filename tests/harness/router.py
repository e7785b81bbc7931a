"""A real router, supervisor and workers, with a network and a view on disk.

Clients are addresses of loopback: those of 127.0.1.0/24 are one ISP's, of 127.0.2.0/24 another's.
"""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from headrace.node.network.view_file import write_view
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.supervised import PATIENCE_S, Supervised

NORTH, SOUTH, OTHERS = "127.0.1.7", "127.0.2.7", "127.0.3.7"
HOST = "vod.example"
NETWORK = """
[[network]]
name = "isp-a"
prefixes = ["127.0.1.0/24"]
[[network]]
name = "isp-b"
prefixes = ["127.0.2.0/24"]

[[site]]
name = "north"
network = "isp-a"
[[site]]
name = "south"
network = "isp-b"

[[server]]
name = "n1"
site = "north"
host = "n1.cdn.example"
ipv4 = ["198.51.100.1"]
[[server]]
name = "n2"
site = "north"
host = "n2.cdn.example"
ipv4 = ["198.51.100.2"]
[[server]]
name = "s1"
site = "south"
host = "s1.cdn.example"
ipv4 = ["198.51.100.3"]
[[server]]
name = "s2"
site = "south"
host = "s2.cdn.example"
ipv4 = ["198.51.100.4"]

[[coverage]]
name = "a"
networks = ["isp-a"]
sites = [{ name = "north" }, { name = "south", order = 2 }]
[[coverage]]
name = "b"
networks = ["isp-b"]
sites = [{ name = "south" }, { name = "north", order = 2 }]
[[coverage]]
name = "others"
default = true
sites = [{ name = "north", weight = 3 }, { name = "south", weight = 1 }]

[[class]]
name = "vod"
hosts = ["vod.example"]
"""


class Router(Supervised):
    """A router's processes under test."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, module="tests.harness.run_router")
        self.network = directory / "network.toml"
        self.view = directory / "view.json"
        self.views = 0
        self.put_network(NETWORK)

    def write(self, top: str = "", tables: str = "", *, listen: str = "") -> None:
        """Write its configuration; `top` are keys, `tables` more tables."""
        self.file.write_text(
            f"""
node_id = "router-1"
workers = 2
state_dir = "{self.cache_dir}"
{top}
[network]
file = "{self.network}"
view = "{self.view}"
[admin]
listen = "127.0.0.1:0"
{listen or "[[listen]]" + chr(10) + 'address = "127.0.0.1:0"'}
{tables}
"""
        )

    def put_network(self, text: str) -> None:
        """Replace the description of the network in one step."""
        new = self.directory / "network.toml.new"
        new.write_text(text)
        new.rename(self.network)

    def put_view(self, **states: ServerState) -> None:
        """Replace the view: each server's state, the others online."""
        self.views += 1
        servers = {name: ServerView(state) for name, state in states.items()}
        write_view(self.view, View(self.views, time.time(), servers))

    # Clients.

    @property
    def address(self) -> tuple[str, int]:
        """Where it answers clients."""
        parts = urlsplit(self.addresses[0])
        assert parts.port is not None
        return str(parts.hostname), parts.port

    def get(
        self, target: str, client: str = OTHERS, host: str = HOST, **fields: str
    ) -> http.client.HTTPResponse:
        """Ask on a connection of its own, so that any worker may answer."""
        connection = http.client.HTTPConnection(
            *self.address, timeout=PATIENCE_S, source_address=(client, 0)
        )
        try:
            names = {name.replace("_", "-"): value for name, value in fields.items()}
            connection.request("GET", target, headers={"Host": host, **names})
            response = connection.getresponse()
            response.body = response.read()  # type: ignore[attr-defined]
            return response
        finally:
            connection.close()

    def location(self, target: str, client: str = OTHERS) -> str:
        """Return where a client is sent."""
        response = self.get(target, client)
        assert response.status == 302, response.status
        return str(response.headers["location"])

    def site(self, client: str, target: str = "/film/1.m4s") -> str:
        """Return the site that a client is sent to."""
        return {"n": "north", "s": "south"}[
            self.location(target, client).removeprefix("http://")[0]
        ]

    def metrics(self) -> dict[str, dict[str, float]]:
        """Return the routers' own metrics: by family, by their label."""
        text = self.ask("GET", "/metrics").body.decode()
        found: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(text):
            if family.name.startswith("headrace_rout"):
                samples: Any = family.samples
                found[family.name] = {
                    next(iter(one.labels.values()), ""): one.value
                    for one in samples
                    if not one.name.endswith("_created")
                }
        return found
