"""Evicting what a store has too much of, a batch at a time.

A large slice may take the place of thousands of small ones. To evict them all at once would hold up
all clients of the worker, so a commit evicts a few batches, and may leave the store above its
capacity by `StoreSettings.overshoot_bytes`. What is left is for this, in later turns of whoever
left it, and of the sweep.
"""

from __future__ import annotations

from headrace.store.index import READ_ERRORS, damaged
from headrace.store.store import Store


def trim(store: Store) -> bool:
    """Evict up to a BATCH of slices where there are too many; True while there are. About 5 ms.

    Raises StoreError or OSError.
    """
    try:
        used_bytes = store.index.totals().used_bytes
    except READ_ERRORS as error:
        raise damaged(error) from error
    if used_bytes <= store.room_bytes() // 2:  # what small bodies leave is more than that
        return False
    with store.transaction() as transaction:
        return used_bytes > transaction.capacity_bytes and not transaction.make_room(0)
