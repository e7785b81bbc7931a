"""The processes of one run: an origin that counts, and the edges of a site."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.harness.edge import HOST, Edge, free_port, running_edge
from tests.harness.polling import eventually
from tests.harness.toml import to_toml

from bench.tiering.trace import Scale
from headrace.topology.build import load_topology
from headrace.topology.model import Topology

SITE = "here"
SERVERS = ("one", "two", "three", "four")
SECRET = "a-secret-of-the-bench-that-is-long-enough"
BLOCK_BYTES = 4096  # what the store counts a body in


@dataclass(frozen=True, slots=True)
class Stand:
    """What runs: where each edge listens, and the origin."""

    topology: Topology
    places: dict[str, tuple[str, int]]
    origin_port: int
    edges: dict[str, Edge]


def store_bytes(scale: Scale) -> int:
    """Return what a quarter of the catalogue takes in a store."""
    blocks = -(-scale.body_bytes // BLOCK_BYTES)
    return max(1024 * 1024, scale.objects * blocks * BLOCK_BYTES // len(SERVERS))


@contextlib.contextmanager
def standing(directory: Path, scale: Scale, *, tiers: bool) -> Iterator[Stand]:
    """Start an origin and four edges; with `tiers` they are servers of one site."""
    directory.mkdir(parents=True)
    origin_port = free_port()
    places = {name: (f"127.0.1.{number}", free_port()) for number, name in enumerate(SERVERS, 1)}
    description = directory / "network.toml"
    description.write_text(to_toml(_description(places)))
    secret = directory / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    origin = subprocess.Popen(
        [sys.executable, "-m", "bench.tiering.origin", str(origin_port), str(scale.body_bytes)]
    )
    try:
        with contextlib.ExitStack() as stack:
            edges = {}
            for name, place in places.items():
                settings = _settings(name, place, scale)
                if tiers:
                    settings["network"] = {
                        "file": description, "server": name, "secret_file": secret,
                        "cdn_name": "bench",
                    }  # fmt: skip
                edges[name] = stack.enter_context(
                    running_edge(f"http://127.0.0.1:{origin_port}", directory / name, settings)
                )
            eventually(lambda: origin.poll() is None, "the origin runs")
            yield Stand(load_topology(description), places, origin_port, edges)
    finally:
        origin.terminate()
        origin.wait(10)


def _settings(name: str, place: tuple[str, int], scale: Scale) -> dict[str, object]:
    return {
        "node_id": name,
        "workers": 1,
        "listen": [{"address": f"{place[0]}:{place[1]}"}],
        "store": {"size": store_bytes(scale), "slice": "64KiB", "checksum": "off"},
        "limits": {"origin_requests_per_address": 10_000},
    }


def _description(places: dict[str, tuple[str, int]]) -> dict[str, object]:
    return {
        "site": [{"name": SITE}],
        "server": [
            {
                "name": name, "site": SITE, "host": f"{name}.{HOST}", "ipv4": [address],
                "http_port": port, "capacity": "10Gbps",
            }
            for name, (address, port) in places.items()
        ],
        "coverage": [{"name": "all", "default": True, "sites": [{"name": SITE}]}],
        "class": [{"name": "objects", "hosts": [HOST]}],
    }  # fmt: skip
