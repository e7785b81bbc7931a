"""What happened to learnt coverage, and what survives a restart of it. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError
from headrace.topology.prefix_set import V4_RECORD, V6_RECORD, PrefixSet

MOST_ENTRIES = 200
LARGEST_BYTES = 64 * 1024**2
Text = Annotated[str, Meta(max_length=400)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
UnixTime = Annotated[float, Meta(ge=0, le=1e11)]


class Entry(msgspec.Struct, frozen=True):
    """`kind` is `taken`, `approved`, `followed` (it was approved at another server of the site),
    `rejected`, `waits`, `alarm`, `alarm-over`, `lapsed` or `heard-again`; `digest` names the
    change, of which come and go so many prefixes, and `identity` all of it.
    """

    at: UnixTime
    kind: Text
    coverage: Text
    digest: Text = ""
    added: Count = 0
    removed: Count = 0
    share: Share = 0.0
    by: Text = ""
    detail: Text = ""
    identity: Text = ""


class KeptCoverage(msgspec.Struct, frozen=True):
    """The prefixes that were taken last, as records."""

    name: Text
    v4: bytes = b""
    v6: bytes = b""


class KeptLearning(msgspec.Struct, frozen=True):
    """All of it."""

    coverage: tuple[KeptCoverage, ...] = ()
    history: Annotated[tuple[Entry, ...], Meta(max_length=MOST_ENTRIES)] = ()


class KeptError(HeadraceError):
    """What was kept cannot be used."""


_decoder = msgspec.json.Decoder(KeptLearning)


def decode_kept(data: bytes) -> KeptLearning:
    """Return what was kept. Raises KeptError."""
    if len(data) > LARGEST_BYTES:
        raise KeptError(f"it is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        kept = _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise KeptError(f"it cannot be read: {str(error)[:200]}") from error
    for one in kept.coverage:
        if not _whole(PrefixSet(one.v4, one.v6)):
            raise KeptError(f"the prefixes of {one.name!r} are damaged")
    return kept


def _whole(prefixes: PrefixSet) -> bool:
    """Return whether these are records, in order, each once and a prefix."""
    if len(prefixes.v4) % V4_RECORD.size or len(prefixes.v6) % V6_RECORD.size:
        return False
    for pairs, bits in ((prefixes.pairs_v4(), 32), (prefixes.pairs_v6(), 128)):
        last = (-1, 0)
        for address, length in pairs:
            if length > bits or address & (1 << bits - length) - 1 or (address, length) <= last:
                return False
            last = address, length
    return True
