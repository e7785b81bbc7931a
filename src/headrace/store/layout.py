"""Names and sizes on disk: where a store's files lie and how its index's keys are made. Pure."""

from __future__ import annotations

import hashlib

import xxhash

FORMAT = 1
PAGE_BYTES = 4096

MARK = "store.json"
STATE = "state"
INDEX = "index"
OBJECTS = "objects"
PARTS = "parts"
SPARES = "spares"
FILLS = "fills"
JOURNAL = "purges"
CLAIM_LOCK = "claim.lock"
OPEN_LOCK = "open.lock"
SWEEP_LOCK = "sweep.lock"

REBUILD = b"rebuild"
"""The row of `meta` that says which directory the rebuild has reached; absent when it is done."""

DIRECTORIES = 256
"""Slices are spread over this many directories: a million files are 4,000 in each."""

RECORD_ONLY = 0xFFFFFFFF
"""The slice number under which a record without any slice is charged and evicted."""

MAX_SLICE = RECORD_ONLY - 1
MAX_META_BYTES = 1024 * 1024
SLOTS = 8 * 1024 * 1024
NO_VARIANT = bytes(16)


def digest(text: bytes) -> bytes:
    """Return 16 bytes that no two texts can be made to share: variants come from clients."""
    return hashlib.blake2b(text, digest_size=16).digest()


def record_key(key_hash: bytes, variant: bytes) -> bytes:
    """Return the index key of a record: 32 bytes."""
    return key_hash + (digest(variant) if variant else NO_VARIANT)


def slice_key(version: bytes, n: int) -> bytes:
    """Return the index key of a slice, which is also its entry in the eviction queues."""
    return version + n.to_bytes(4, "big")


def slice_of(key: bytes) -> tuple[bytes, int]:
    """Return the version and the number that a slice key is made of."""
    return key[:-4], int.from_bytes(key[-4:], "big")


def slot_of(key: bytes) -> int:
    """Return which hit counter a slice key uses; for those that share one it is a bit wrong."""
    return xxhash.xxh3_64_intdigest(key) % SLOTS


def directory_name(number: int) -> str:
    """Return the name of one of the DIRECTORIES under `objects`."""
    return f"{number:02x}"


def slice_file(key: bytes) -> str:
    """Return a slice's file, relative to `objects`."""
    directory = directory_name(xxhash.xxh3_64_intdigest(key[:-4]) % DIRECTORIES)
    return f"{directory}/{key[:-4].hex()}-{int.from_bytes(key[-4:], 'big')}"


def slice_key_of_file(name: str) -> bytes | None:
    """Return the slice key that a file name stands for; None for a foreign file."""
    version, dash, number = name.partition("-")
    try:
        if dash and number == str(int(number)) and 0 <= int(number) <= MAX_SLICE:
            return slice_key(bytes.fromhex(version), int(number))
    except ValueError:
        return None
    return None


def part_file(parts: str, name: bytes, n: int) -> str:
    """Return the file that the one who fills slice `n` of `name` holds locked."""
    return f"{parts}/{digest(name).hex()}-{n}"


def in_pages(size_bytes: int) -> int:
    """Return a file's size as the disk sees it."""
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES
