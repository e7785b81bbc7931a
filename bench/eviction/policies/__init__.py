"""The policies under comparison, each bounded by bytes."""

from __future__ import annotations

from collections.abc import Callable

from bench.eviction.policies.base import Policy
from bench.eviction.policies.fifo import Fifo
from bench.eviction.policies.lru import Lru
from bench.eviction.policies.s3_fifo import S3Fifo
from bench.eviction.policies.sieve import Sieve
from bench.eviction.policies.tiny_lfu import WindowTinyLfu

POLICIES: dict[str, Callable[[int], Policy]] = {
    "LRU": Lru,
    "FIFO": Fifo,
    "SIEVE": Sieve,
    "S3-FIFO": S3Fifo,
    "W-TinyLFU": WindowTinyLfu,
}
"""By name: makes an empty cache of so many bytes."""

__all__ = ["POLICIES", "Fifo", "Lru", "Policy", "S3Fifo", "Sieve", "WindowTinyLfu"]
