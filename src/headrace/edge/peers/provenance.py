"""Where an answer comes from: how old it is, and through which servers of the network. Pure.

Their Cache-Status (RFC 9211) is kept with it, and ours stands behind. A later hit shows it too, as
section 3 of the RFC has it: how the answer once came here. What an origin says in that field is its
own word, and is not kept.
"""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.edge.peers.purges import began_at
from headrace.http.fields import split_list
from headrace.http.message import Field, Headers

CHAIN: Final = b"cache-status"
MOST_BYTES: Final = 2048
MOST_MEMBERS: Final = 16


class Provenance(msgspec.Struct, frozen=True):
    """`began_at` is when the answer was asked for at an origin, by whichever server asked; `chain`
    the field that servers in between have written, if there is any.
    """

    began_at: float = 0.0
    chain: tuple[Field, ...] = ()


def provenance(headers: Headers, request_time: float, *, by_server: bool) -> Provenance:
    """Return where an answer comes from. Only a server of the network is asked for its word."""
    if not by_server:
        return Provenance(request_time)
    value = headers.get(CHAIN)
    usable = value and len(value) <= MOST_BYTES and len(split_list(value)) <= MOST_MEMBERS
    chain = ((CHAIN, value),) if value is not None and usable else ()
    return Provenance(began_at(headers, request_time), chain)
