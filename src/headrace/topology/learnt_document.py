"""What a server tells nodes of the coverage that it learnt, as they hand it on. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError
from headrace.topology.prefix_set import PrefixSet, record_of, set_of_records, text_of

LARGEST_BYTES = 16 * 1024**2
MOST_COVERAGE = 64
MOST_PREFIXES = 400_000
_Name = Annotated[str, Meta(max_length=128)]
_Prefix = Annotated[str, Meta(min_length=3, max_length=43)]
_Prefixes = Annotated[tuple[_Prefix, ...], Meta(max_length=MOST_PREFIXES)]


class LearntError(HeadraceError):
    """A document that is not taken, with why. `kind` is a word for counts."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class LearntDocument(msgspec.Struct, frozen=True):
    """What `server` says: the prefixes of each coverage, by its name. `network` is the name of the
    whole network, `digest` stands for the rest.
    """

    server: _Name
    network: _Name = ""
    digest: _Name = ""
    coverage: Annotated[dict[_Name, _Prefixes], Meta(max_length=MOST_COVERAGE)] = {}


_decoder = msgspec.json.Decoder(LearntDocument)


def encode_learnt(document: LearntDocument) -> bytes:
    """Return it as JSON."""
    return msgspec.json.encode(document)


def decode_learnt(data: bytes, server: str, network: str) -> LearntDocument:
    """Return what `server` of `network` says ("": a network without a name).

    Raises LearntError.
    """
    if len(data) > LARGEST_BYTES:
        raise LearntError("too-large", f"it has more than {LARGEST_BYTES >> 20} MiB")
    try:
        found = _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise LearntError("malformed", f"it cannot be read: {str(error)[:200]}") from error
    if found.server != server:
        remedy = "correct vip_listener in the description"
        raise LearntError("other-server", f"it is {found.server!r}'s, not {server!r}'s: {remedy}")
    if network and found.network and found.network != network:
        raise LearntError("other-network", f"it is of the network {found.network!r}")
    return found


def prefixes_in(document: LearntDocument, coverage: str) -> PrefixSet:
    """Return what it has of a coverage. Raises LearntError."""
    try:
        return set_of_records([record_of(text) for text in document.coverage.get(coverage, ())])
    except ValueError as error:
        raise LearntError("malformed", str(error)) from error


def texts_of(prefixes: PrefixSet) -> tuple[str, ...]:
    """Return prefixes as they are written."""
    return tuple(map(text_of, prefixes.records()))
