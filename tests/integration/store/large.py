"""A process that stores large slices in a store that small ones have filled.

Arguments: the store's directory, and a name; `small` fills it. Prints `ready`, waits for a line,
then prints for each slice whether it was stored, and how many bytes the store had then.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from headrace.cache.record import StoredResponse
from headrace.store import Part, Store, StoreSettings
from tests.integration.store.samples import a_response

MIB = 1024 * 1024
SETTINGS = StoreSettings(16 * MIB, MIB, map_bytes=128 * MIB)
LARGE = b"x" * (1800 * 1024)
"""As much as 226 small ones take, of which a commit evicts 128."""

SMALL, LARGES = 2100, 12


def store_one(store: Store, name: str, body: bytes) -> bool:
    stored: StoredResponse = msgspec.structs.replace(
        a_response(f"service\nhost/{name}".encode(), b"", store.generation()),
        length=len(body),
        slice_bytes=2 * MIB,
    )
    part = store.begin_part(name.encode(), 0)
    assert isinstance(part, Part)
    try:
        part.set_head(stored)
        part.write(body, 0)
        return part.finish(stored, len(body))
    finally:
        part.close()


def main() -> None:
    store = Store.open(Path(sys.argv[1]), SETTINGS)
    name = sys.argv[2]
    if name == "small":
        for number in range(SMALL):
            store_one(store, f"small{number}", b"hello")
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(LARGES):
        kept = store_one(store, f"{name}{number}", LARGE)
        print(int(kept), store.index.totals().used_bytes, flush=True)


if __name__ == "__main__":
    main()
