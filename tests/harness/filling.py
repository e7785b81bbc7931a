"""Fills one of a worker's memories with the largest entries that strangers may cause, and prints
what it says it holds, what bounds it, and by how much the process grew, in bytes.

Run as `python -m tests.harness.filling <memory>`, for a process of its own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from headrace.cache.record import StoredResponse
from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.hot import HotEntry, HotResponses
from headrace.edge.service.resource import LIMIT_BYTES as RESOURCES_BYTES
from headrace.edge.service.resource import Resources
from headrace.edge.service.response_heads import HitHeads, stored_fields
from headrace.edge.service.services import compile_services
from headrace.http import serializer
from headrace.http.parser import HeadLimits, RequestHead, RequestParser
from headrace.http.server import head_cache

MIB = 1024 * 1024
ONE_SERVICE = {
    "cache_dir": "/c",
    "listen": [{"address": "127.0.0.1:1"}],
    "service": [{"name": "default", "hosts": ["*"], "origins": ["http://o:1"]}],
}
Filled = tuple[object, int, int]


def resident_bytes() -> int:
    """What this process has in memory."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def resources() -> Filled:
    """Distinct targets as long as a request line may be, at the longest host."""
    found = Resources(compile_services(validate_document(ONE_SERVICE, EDGE, str, base=Path("/"))))
    for number in range(8_000):
        target = b"/%d" % number + b"p" * 3000 + b"?" + b"q" * 5000
        found.find(_head(target, b"h" * 240), tls=number % 2 == 0)
    return (
        found,
        2 * RESOURCES_BYTES,
        sum(memory.held_bytes for memory in (found._plain, found._tls)),
    )


def _head(target: bytes, host: bytes) -> RequestHead:
    text = b"GET " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    return RequestParser(HeadLimits(line_bytes=9000)).parse(text)


def heads() -> Filled:
    parser = RequestParser(HeadLimits(header_count=200))
    found = head_cache.HeadCache(parser)
    for number in range(8_000):
        lines = b"".join(b"%04x:%d\r\n" % (field, number % 10) for field in range(100))
        text = b"GET /%d HTTP/1.1\r\nHost: h\r\n" % number + lines + b"\r\n"
        head = parser.parse(text)
        head.headers.get(b"host")  # makes its index
        for _time in range(2):
            found.remember(text, head)
    return found, head_cache.LIMIT_BYTES, found._known.held_bytes


def names() -> Filled:
    for number in range(20_000):
        serializer.customary(b"%d-" % number + b"n" * 8000)
        serializer.customary(b"%09d-" % number + b"n-" * 15)
    return None, 512 * 1024, 0


def hot() -> Filled:
    """Small bodies with the largest heads and keys, each as it was sent once."""
    found = HotResponses(files=10, memory_bytes=64 * MIB)
    for number in range(2500):
        stored = StoredResponse(
            key=b"default\n%d" % number + b"k" * 8000, variant=b"v" * 4000, vary=(b"x",) * 50,
            status=200,
            headers=tuple((b"x-%d-%d" % (number, n), b"%d" % n * 200) for n in range(60)),
            response_time=time.time(), corrected_age_s=0.0, lifetime_s=100.0,
            stale_while_revalidate_s=0.0, stale_if_error_s=0.0, flags=0, length=1000,
            slice_bytes=4096, version=b"%016d" % number, generation=0,
            tags=tuple(b"t%d-%d" % (number, n) for n in range(50)),
        )  # fmt: skip
        resource = cast(
            "Any",
            SimpleNamespace(
                hot=None, service=SimpleNamespace(debug=False, server_timing=False, tally=None)
            ),
        )
        body = memoryview(b"b%d" % number * 200)[:1000]
        entry = HotEntry(resource, stored, body, None, -1, time.time(), time.time() + 100)
        now = time.time()
        fields = [*stored_fields(stored, now, b"edge"), (b"cache-status", b"edge; hit; ttl=1")]
        entry.heads = HitHeads(stored, fields)
        entry.prepared = entry.heads.whole(now)
        entry.partial = entry.heads.partial(now)
        entry.whole = entry.prepared + body
        entry.body = memoryview(entry.whole)[len(entry.prepared) :]
        found.put(entry)
    return found, 64 * MIB, found.held_bytes


FILLINGS: dict[str, Callable[[], Filled]] = {
    "resources": resources, "heads": heads, "names": names, "hot": hot,
}  # fmt: skip


def main() -> None:
    before = resident_bytes()
    filled, bound_bytes, held_bytes = FILLINGS[sys.argv[1]]()
    print(held_bytes, bound_bytes, resident_bytes() - before)
    del filled


if __name__ == "__main__":
    main()
