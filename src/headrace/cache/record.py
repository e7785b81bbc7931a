"""The record of one stored response: what the index keeps and what body files carry in front.

The policy functions read it, the store writes it. It holds what RFC 9111 section 4.2 needs to
compute age and freshness, so that no header is parsed again on a hit.
"""

from __future__ import annotations

import enum

import msgspec

from headrace.http.message import Field


class StoredFlag(enum.IntFlag):
    """Facts about a stored response that constrain its reuse."""

    NONE = 0
    NO_CACHE = 1  # unqualified no-cache: always validate (RFC 9111 section 5.2.2.4)
    # must-revalidate, proxy-revalidate, s-maxage, or an error: never serve stale
    MUST_REVALIDATE = 2
    HEURISTIC = 4  # lifetime was guessed (RFC 9111 section 4.2.2)
    IMMUTABLE = 8  # RFC 8246
    INVALIDATED = 16  # soft-purged: stale from now on, whatever its lifetime says
    NEGATIVE = 32  # stored by a negative caching rule
    HTTP_1_0 = 128  # came by HTTP/1.0, which Via states (RFC 9110 section 7.6.3)
    STATES_STALE = 64  # its own stale-if-error is in force, a service's word for it is not


class StoredResponse(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One stored representation of one cache key.

    Times are Unix seconds. `corrected_age_s` is RFC 9111's corrected_initial_age at
    `response_time`. `length` is the complete representation's length in bytes, or -1 while a fill
    of unknown length is still running. `version` names the body: slices are filed under it.
    `began_at` is when it was asked for at an origin, by whichever server of the network asked; 0
    where that is not known.
    """

    key: bytes
    variant: bytes
    vary: tuple[bytes, ...]
    status: int
    headers: tuple[Field, ...]
    response_time: float
    corrected_age_s: float
    lifetime_s: float
    stale_while_revalidate_s: float
    stale_if_error_s: float
    flags: int
    length: int
    slice_bytes: int
    version: bytes
    generation: int
    tags: tuple[bytes, ...]
    began_at: float = 0.0
