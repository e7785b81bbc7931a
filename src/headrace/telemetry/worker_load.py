"""What a worker says of its load to the supervisor: counts that only grow since it started."""

from __future__ import annotations

import os
import time

import msgspec

from headrace.telemetry.cmcd import PlayerCounts
from headrace.telemetry.flows import Pair
from headrace.telemetry.metrics import BOUNDS_S, WorkerMetrics
from headrace.telemetry.shard_sample import ShardCounts

HITS = ("requests_hit", "requests_stale_hit")
REQUESTS = (
    *HITS, "requests_revalidated", "requests_miss", "requests_partial", "requests_collapsed",
    "requests_bypass", "requests_pass", "requests_error",
)  # fmt: skip


class GetLoad(msgspec.Struct, tag="get_load"):
    """Answer WorkerLoad. `known` says of how many flows the names are known, by table."""

    known: dict[str, int] = {}


class WorkerLoad(msgspec.Struct):
    """In answer to GetLoad. `instance` names the worker, which began `up_s` ago, at zero.

    `flows` are packed (see `telemetry.flows`), those of the table `table`: another begins at zero.
    `pairs` are their names, from the one of the number `pairs_from` on. `first_byte` and
    `origin_wait` are counts by bucket of durations. `decisions` are a router's, by coverage, class
    and site.
    """

    instance: str
    cpu_s: float
    up_s: float = 0.0
    bytes_sent: int = 0
    connections: int = 0
    requests: int = 0
    hits: int = 0
    errors: int = 0
    origin_requests: int = 0
    origin_errors: int = 0
    origin_bytes: int = 0
    first_byte: list[int] = []
    origin_wait: list[int] = []
    table: str = ""
    pairs_from: int = 0
    pairs: list[Pair] = []
    flows: bytes = b""
    shards: ShardCounts = msgspec.field(default_factory=ShardCounts)
    players: dict[str, PlayerCounts] = {}
    siblings: dict[str, tuple[int, int]] = {}
    decisions: list[tuple[str, str, str, int]] = []


class Instance:
    """A name for a worker that no other has, and since when it is."""

    __slots__ = ("began_s", "name")

    def __init__(self) -> None:
        self.name = os.urandom(8).hex()
        self.began_s = time.monotonic()

    @property
    def up_s(self) -> float:
        """Return how long it has been."""
        return time.monotonic() - self.began_s


def edge_counts(metrics: WorkerMetrics, instance: Instance) -> WorkerLoad:
    """Return what an edge's metrics say."""
    by_servers, servers_failed = metrics.peers_asked, metrics.peers_failed
    return WorkerLoad(
        instance=instance.name,
        cpu_s=time.process_time(),
        up_s=instance.up_s,
        bytes_sent=metrics.bytes_sent,
        connections=metrics.connections_open,
        requests=sum(getattr(metrics, name) for name in REQUESTS),
        hits=sum(getattr(metrics, name) for name in HITS),
        errors=metrics.responses[5],
        origin_requests=sum(metrics.origin_requests.values()) - sum(by_servers.values()),
        origin_errors=sum(metrics.origin_failures.values()) - sum(servers_failed.values()),
        origin_bytes=metrics.bytes_from_origin,
        first_byte=_sum(metrics.hit_first_byte.counts, metrics.miss_first_byte.counts),
        origin_wait=list(metrics.origin_first_byte.counts),
        siblings={name: (count, servers_failed[name]) for name, count in by_servers.items()},
    )


def router_counts(metrics: WorkerMetrics, instance: Instance) -> WorkerLoad:
    """Return what a router's metrics say."""
    return WorkerLoad(
        instance=instance.name,
        cpu_s=time.process_time(),
        up_s=instance.up_s,
        bytes_sent=metrics.bytes_sent,
        connections=metrics.connections_open,
        requests=sum(metrics.responses) + metrics.dns_udp_queries + metrics.dns_tcp_queries,
        errors=metrics.responses[5],
        first_byte=list(metrics.routing_seconds.counts),
    )


def _sum(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]


def quantile(counts: list[int], share: float) -> float:
    """Return within what time a share of the durations was, by their counts by bucket.

    It is within its bucket as if all were spread evenly there.
    """
    wanted = share * sum(counts)
    passed = 0
    for at, count in enumerate(counts):
        if count and passed + count >= wanted:
            low = BOUNDS_S[at - 1] if at else 0.0
            high = BOUNDS_S[min(at, len(BOUNDS_S) - 1)]
            return low + (high - low) * max(0.0, wanted - passed) / count if high > low else low
        passed += count
    return 0.0
