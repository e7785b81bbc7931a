"""The processes of one run: an origin that counts, and the edges of a site."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.harness.edge import free_port
from tests.harness.polling import eventually
from tests.harness.sites import RunningSite, running_site

from bench.tied import tied
from bench.tiering.trace import Scale

SERVERS = ("one", "two", "three", "four")
BLOCK_BYTES = 4096  # what the store counts a body in


@dataclass(frozen=True, slots=True)
class Stand:
    """What runs: the edges of a site, and the origin."""

    site: RunningSite
    origin_port: int


def store_bytes(scale: Scale) -> int:
    """Return what a quarter of the catalogue takes in a store."""
    blocks = -(-scale.body_bytes // BLOCK_BYTES)
    return max(1024 * 1024, scale.objects * blocks * BLOCK_BYTES // len(SERVERS))


@contextlib.contextmanager
def standing(directory: Path, scale: Scale, *, tiers: bool) -> Iterator[Stand]:
    """Start an origin and four edges; with `tiers` they are servers of one site."""
    origin_port = free_port()
    origin = subprocess.Popen(
        tied(
            [sys.executable, "-m", "bench.tiering.origin", str(origin_port), str(scale.body_bytes)]
        )
    )
    settings: dict[str, object] = {
        "store": {"size": store_bytes(scale), "slice": "64KiB", "checksum": "off"},
        "limits": {"origin_requests_per_address": 10_000},
    }
    try:
        with running_site(
            f"http://127.0.0.1:{origin_port}", directory, SERVERS, {}, settings, member=tiers
        ) as site:
            eventually(lambda: origin.poll() is None, "the origin runs")
            yield Stand(site, origin_port)
    finally:
        origin.terminate()
        origin.wait(10)
