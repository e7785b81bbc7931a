"""Many small objects written straight into an edge's store: a million by misses takes many minutes.

One object is fetched in the ordinary way first; all others are its copies under other keys and
versions, with the rows that a fill would have written, by the store's own code. So what is measured
afterwards are hits; what filling costs is another figure.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from headrace.cache.key import key_hash
from headrace.cache.record import StoredResponse
from headrace.config.edge.root import EDGE
from headrace.config.loader import load_config
from headrace.edge.worker import store_settings
from headrace.store import SmallBody, Store
from headrace.store.layout import record_key, slice_key

AT_ONCE = 100
"""Objects in one transaction: the edge, which runs, waits for no more than these."""

_VERSION_BYTES = 16


class NotSeeded(Exception):
    """The store does not have what is to be copied, or has no room for the copies."""


def seed(config: Path, prefix: bytes, first: int, last: int) -> float:
    """Store the objects `prefix` + number, from `first` to `last`, as copies of number 0; return
    the seconds that it took. The edge of this configuration may run. Raises NotSeeded, StoreError.
    """
    began = time.monotonic()
    loaded = load_config(config, EDGE)
    store = Store.open(Path(loaded.cache_dir), store_settings(loaded))
    try:
        stored, body = _model(store, prefix + b"0")
        at = stored.key.index(prefix + b"0")
        for start in range(first, last + 1, AT_ONCE):
            with store.transaction() as transaction:
                for number in range(start, min(start + AT_ONCE, last + 1)):
                    key = stored.key[:at] + prefix + b"%d" % number
                    copy = msgspec.structs.replace(
                        stored, key=key, version=os.urandom(_VERSION_BYTES)
                    )
                    if not transaction.has_room_inside(len(body)):
                        raise NotSeeded(f"the index has room for {number - first} bodies only")
                    hashed = key_hash(key)
                    owner = record_key(hashed, copy.variant)
                    transaction.put_small_body(slice_key(copy.version, 0), body, owner)
                    transaction.put_record(copy, hashed)
    finally:
        store.close()
    return time.monotonic() - began


def _model(store: Store, target: bytes) -> tuple[StoredResponse, bytes]:
    """The response whose key ends in this, with its body."""
    cursor: bytes | None = None
    while True:
        page, cursor = store.list(b"", 1000, cursor)
        for stored in page:
            if stored.key.endswith(target):
                found = store.open_slice(stored, 0)
                if isinstance(found, SmallBody):
                    return stored, found.body
        if cursor is None:
            raise NotSeeded(f"{target.decode()} is not in the store with its body in the index")
