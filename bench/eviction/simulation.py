"""One trace through one policy: hit ratios by requests and by bytes, once the cache is warm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench.eviction.policies import Policy
from bench.eviction.traces import MAKERS, Scale, Trace, make_trace

WARM_UP_SHARE = 0.25
CACHE_SHARES = (0.01, 0.05, 0.20)


@dataclass(frozen=True, slots=True)
class Ratios:
    """Between 0 and 1."""

    requests: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Result:
    """One run. `cache_share` is the cache's size as a share of the trace's footprint."""

    trace: str
    mixed_sizes: bool
    cache_share: float
    policy: str
    hit: Ratios


def hit_ratios(trace: Trace, policy: Policy) -> Ratios:
    """Play the whole trace; count after its first quarter, which only warms the cache."""
    warm_from = int(len(trace.requests) * WARM_UP_SHARE)
    sizes = trace.sizes
    for entry in trace.requests[:warm_from]:
        policy.request(entry, sizes[entry])
    asked = asked_bytes = hit = hit_bytes = 0
    for entry in trace.requests[warm_from:]:
        size_bytes = sizes[entry]
        asked += 1
        asked_bytes += size_bytes
        if policy.request(entry, size_bytes):
            hit += 1
            hit_bytes += size_bytes
    return Ratios(hit / asked, hit_bytes / asked_bytes)


def run_all(
    policies: dict[str, Callable[[int], Policy]],
    *,
    seed: int,
    scale: Scale,
    trace_names: Iterable[str] = tuple(MAKERS),
) -> Iterator[Result]:
    """Every trace with equal and mixed sizes, every cache size, every policy."""
    for mixed_sizes in (False, True):
        for name in trace_names:
            trace = make_trace(name, seed=seed, scale=scale, mixed_sizes=mixed_sizes)
            for cache_share in CACHE_SHARES:
                capacity_bytes = int(trace.footprint_bytes * cache_share)
                for policy, make in policies.items():
                    hit = hit_ratios(trace, make(capacity_bytes))
                    yield Result(name, mixed_sizes, cache_share, policy, hit)
