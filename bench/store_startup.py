"""How long a store takes to open with many objects after its process was killed, and what a lookup
costs then.

    python bench/store_startup.py --objects 1000000

A process fills an index (rows as the edge writes them; `--files` also writes small slice files),
is killed with SIGKILL while it writes, and another process opens the store and measures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from headrace.cache.record import StoredResponse
from headrace.store import Part, PurgeRule, Store, StoreSettings
from headrace.store.layout import digest, record_key, slice_key
from headrace.store.rows import SliceRow

FILE_BYTES = 8192
PER_TRANSACTION = 1000


def settings_for(objects: int) -> StoreSettings:
    """Room for all of them, so that building evicts nothing and measuring evicts soon."""
    return StoreSettings(size_bytes=objects * FILE_BYTES, map_bytes=64 * 1024**3)


def a_record(number: int) -> StoredResponse:
    """A response such as an origin sends: nine header fields, one tag."""
    version = hashlib.blake2b(b"%d" % number, digest_size=16).digest()
    return StoredResponse(
        key=b"films\nexample.org/series/%d/segment-%d.m4s" % (number // 600, number),
        variant=b"",
        vary=(),
        status=200,
        headers=(
            (b"date", b"Mon, 23 Nov 2026 12:00:00 GMT"),
            (b"server", b"origin"),
            (b"content-type", b"video/iso.segment"),
            (b"content-length", b"4000"),
            (b"etag", b'"%s"' % version.hex().encode()),
            (b"last-modified", b"Mon, 23 Nov 2026 11:00:00 GMT"),
            (b"cache-control", b"public, max-age=86400, stale-while-revalidate=60"),
            (b"accept-ranges", b"bytes"),
            (b"access-control-allow-origin", b"*"),
        ),
        response_time=time.time(),
        corrected_age_s=0.0,
        lifetime_s=86400.0,
        stale_while_revalidate_s=60.0,
        stale_if_error_s=0.0,
        flags=0,
        length=4000,
        slice_bytes=8 * 1024 * 1024,
        version=version,
        generation=0,
        tags=(b"series-%d" % (number // 600),),
    )


def fill(store: Store, stored: StoredResponse) -> None:
    """One slice, the way the edge fills it."""
    part = store.begin_part(stored.version, 0)
    assert isinstance(part, Part)
    body = bytes(stored.length)
    part.set_head(stored)
    part.write(body, 0)
    part.finish(stored, len(body))
    part.close()


def build(path: Path, objects: int, *, files: bool) -> None:
    """Fill the index and then write on until killed."""
    store = Store.open(path, settings_for(objects))
    for start in range(0, objects, PER_TRANSACTION):
        numbers = range(start, min(start + PER_TRANSACTION, objects))
        if files:
            for number in numbers:
                fill(store, a_record(number))
            continue
        with store.transaction() as filing:
            for number in numbers:
                stored = a_record(number)
                key_hash = digest(stored.key)
                row = SliceRow(FILE_BYTES, stored.length, record_key(key_hash, b""))
                filing.put_slice(slice_key(stored.version, 0), row)
                filing.put_record(stored, key_hash)
    print("built", flush=True)
    while True:
        for number in range(objects):
            stored = a_record(number)
            store.record(stored, digest(stored.key))


def measure(path: Path, objects: int) -> dict[str, float]:
    """Open the store and use it. Microseconds, but for opening."""
    started = time.perf_counter()
    store = Store.open(path, settings_for(objects))
    opened = time.perf_counter()
    first = a_record(objects // 2)
    assert store.lookup(digest(first.key), b"") is not None
    answered = time.perf_counter()
    figures = {
        "open_s": opened - started,
        "first_lookup_s": answered - opened,
        "objects": store.stats()["objects"],
        "index_bytes": os.stat(path / "index" / "data.mdb").st_blocks * 512,
    }
    chance = random.Random(1)
    known = [a_record(chance.randrange(objects)) for _ in range(20_000)]
    hashes = [digest(stored.key) for stored in known]
    figures["lookup_us"] = _each(lambda number: store.lookup(hashes[number], b""), 20_000)
    figures["record_us"] = _each(lambda number: store.record(known[number], hashes[number]), 5_000)
    fresh = [a_record(objects + number) for number in range(3_000)]
    figures["fill_and_evict_us"] = _each(lambda number: fill(store, fresh[number]), 3_000)
    figures["purge_us"] = _each(
        lambda number: store.purge(PurgeRule("tag", b"%d" % number), durable=False), 1_000
    )
    figures["lookup_with_1000_rules_us"] = _each(
        lambda number: store.lookup(hashes[number], b""), 20_000
    )
    store.close()
    return figures


def _each(step: Callable[[int], object], count: int) -> float:
    started = time.perf_counter()
    for number in range(count):
        step(number)
    return (time.perf_counter() - started) / count * 1e6


def run(path: Path, objects: int, *, files: bool) -> dict[str, float]:
    """Build in one process, kill it, measure in another."""
    # They end with this one, however it ends.
    own = ["setpriv", "--pdeathsig", "TERM", sys.executable, __file__]
    arguments = [*own, "--objects", str(objects), "--directory", str(path)]
    command = [*arguments, "--step", "build", *(["--files"] if files else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as builder:
        assert builder.stdout is not None
        if builder.stdout.readline() != b"built\n":
            raise SystemExit("the index could not be built")
        time.sleep(0.5)  # let it be in the middle of writing
        builder.kill()
    answer = subprocess.run(
        [*arguments, "--step", "measure"], stdout=subprocess.PIPE, check=True
    ).stdout
    figures: dict[str, float] = json.loads(answer)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--files", action="store_true", help="write a small file per object too")
    parser.add_argument("--directory", type=Path, help="where (default: a temporary directory)")
    parser.add_argument("--step", choices=["all", "build", "measure"], default="all")
    options = parser.parse_args()
    if options.step == "build":
        build(options.directory, options.objects, files=options.files)
    elif options.step == "measure":
        print(json.dumps(measure(options.directory, options.objects)))
    else:
        path = options.directory or Path(tempfile.mkdtemp(prefix="headrace-store-"))
        try:
            figures = run(path, options.objects, files=options.files)
        finally:
            shutil.rmtree(path)
        for name, value in figures.items():
            print(f"{name:28} {value:,.6g}")


if __name__ == "__main__":
    main()
