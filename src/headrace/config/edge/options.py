"""The models of what an edge's machine does beside serving: keep bodies, set limits, count."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from headrace.config.base import Model
from headrace.config.server import GIB, KIB, MIB, ClientLimits, ClientTimeouts
from headrace.config.units import DurationS, SizeBytes

INLINE_MOST_BYTES = 16 * KIB


class StoreOptions(Model):
    """What the store on disk and in memory may take."""

    size_bytes: SizeBytes = Field(
        default=10 * GIB,
        ge=MIB,
        description="Bytes of bodies kept on disk by all workers together. The least popular "
        "leave when it is full.",
    )
    slice_bytes: SizeBytes = Field(
        default=8 * MIB,
        ge=64 * KIB,
        le=GIB,
        description="Bodies are kept in files of this size; a power of two between 64KiB and "
        "1GiB. A range request fills only the slices it touches.",
    )
    checksum: Literal["off", "on_open"] = Field(
        default="on_open",
        description="`on_open` verifies each file the first time a worker opens it; `off` trusts "
        "the disk.",
    )
    inline_bytes: SizeBytes = Field(
        default=INLINE_MOST_BYTES,
        le=INLINE_MOST_BYTES,
        description="Bodies of up to this size are kept in the index and not in files of their "
        "own, as long as they take no more than a quarter of `size`. That is faster; after a "
        "crash of the operating system they are fetched again. 0 keeps all in files.",
    )
    memory_bytes: SizeBytes = Field(
        default=64 * MIB, description="Memory for small bodies and prepared heads, for each worker."
    )
    open_files: int = Field(
        default=2048, ge=16, description="Body files each worker keeps open at most."
    )

    @field_validator("slice_bytes")
    @classmethod
    def _power_of_two(cls, slice_bytes: int) -> int:
        if slice_bytes & (slice_bytes - 1):
            raise ValueError("a slice must be a power of two: write 1MiB, 2MiB, 4MiB, 8MiB…")
        return slice_bytes


class Limits(ClientLimits):
    """What one client, or all of them, may ask of a worker."""

    origin_requests_per_address: int = Field(
        default=128,
        ge=1,
        description="Requests to origins under way at once for clients at one address, per worker "
        "(IPv6: one /64). With more, what is not stored gets 503.",
    )
    unwatched_fills: int = Field(
        default=256,
        ge=0,
        description="Fills that continue after every client that waited for them has left, per "
        "worker. One more is broken off.",
    )
    unwatched_fills_per_address: int = Field(
        default=16,
        ge=0,
        description="The same for fills begun by clients at one address (IPv6: one /64).",
    )
    unwatched_bytes_per_address: SizeBytes = Field(
        default=64 * MIB,
        description="Bytes that fills begun from one address may bring while no one waits for "
        "them, at once; refilled at `unwatched_rate`. A client that asks and leaves "
        "makes origins send no more than this.",
    )
    unwatched_rate_bytes_per_s: SizeBytes = Field(
        default=4 * MIB,
        description="How fast that allowance comes back, in bytes a second.",
    )
    pass_buffer_bytes: SizeBytes = Field(
        default=256 * KIB,
        ge=16 * KIB,
        description="Bytes of an uncacheable response held between a fast origin and a slow "
        "client.",
    )


class Timeouts(ClientTimeouts):
    """How long each step may take."""

    origin_connect_s: DurationS = Field(
        default=3.0, gt=0, description="Connecting to an origin, its TLS handshake included."
    )
    origin_first_byte_s: DurationS = Field(
        default=15.0, gt=0, description="From the end of a request to an origin's first byte."
    )
    origin_between_bytes_s: DurationS = Field(
        default=10.0, gt=0, description="Silence of an origin in the middle of a response."
    )
    origin_idle_s: DurationS = Field(
        default=30.0, gt=0, description="How long an unused connection to an origin is kept."
    )
    lock_wait_s: DurationS = Field(
        default=15.0,
        gt=0,
        description="How long a request waits for the head of another's fill of the same object "
        "before it asks the origin itself.",
    )


class Metrics(Model):
    """What is counted apart."""

    services_max: int = Field(
        default=100,
        ge=0,
        le=10_000,
        description="How many services have metrics of their own, the first in the file; the "
        "others are counted together as `other`.",
    )
