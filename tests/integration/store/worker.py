"""A process that fills, reads, freshens and purges at random until it is killed.

Arguments: the store's directory, a seed. Prints a line when it has begun. Exits with 1 when it
reads what nobody stored.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import msgspec

from headrace.store import PurgeRule, Store
from headrace.store.layout import digest
from headrace.store.maintenance import sweep
from tests.integration.store.samples import (
    Held,
    a_response,
    fill_slice,
    hold,
    open_store,
    random_body,
    slice_of,
)

HELD_LONG = 20


def step(store: Store, chance: random.Random, held: list[Held]) -> None:
    key = b"service\nhost/%d" % chance.randrange(60)
    found = store.lookup(digest(key), b"")
    dice = chance.random()
    if found is None and dice < 0.4:
        store_together(store, chance)
    elif found is None or dice < 0.3:
        body = random_body(chance)
        stored = a_response(key, body, store.generation())
        for n in range(len(stored.headers)):
            fill_slice(store, stored, n, slice_of(body, n))
    elif dice < 0.9:
        for n in store.slices(found):
            opened = hold(store, found, n)
            if opened is not None:
                opened.verify()
                held.append(opened)
            store.touch(store.slot(found.version, n))
        while len(held) > HELD_LONG:
            held.pop(chance.randrange(HELD_LONG)).verify()  # others have evicted it since
    elif dice < 0.94:
        store.record(msgspec.structs.replace(found, lifetime_s=dice), digest(key))
    elif dice < 0.96:
        store.purge(PurgeRule("url", key, soft=dice < 0.95), durable=False)
    elif dice < 0.98:
        store.delete(found)
    else:
        sweep.step(store, 20, now=time.time(), keep_s=0.0)


def store_together(store: Store, chance: random.Random) -> None:
    """Store some small responses in one transaction, by permits without parts."""
    small, claims = [], []
    for number in range(chance.randrange(1, 20)):
        key = b"service\nhost/%d" % chance.randrange(60)
        claim = store.permit(key)
        if claim is not None:
            claims.append(claim)
            body = b"%d" % number * chance.randrange(1, 5000)
            small.append((a_response(key, body, store.generation()), body))
    store.store_together(small)
    for claim in claims:
        claim.give()


def main() -> None:
    store = open_store(Path(sys.argv[1]))
    chance = random.Random(int(sys.argv[2]))
    held: list[Held] = []
    print("begun", flush=True)
    while True:
        step(store, chance, held)


if __name__ == "__main__":
    main()
