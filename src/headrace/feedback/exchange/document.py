"""What one observer tells the others: what it has seen, whom it hears, the orders it knows, and,
of the one that decides, what it has decided. Pure.

What comes in may be anything. A document is taken as a whole or refused as a whole.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError
from headrace.feedback.observation import MOST_PROBED, Name, ProbeRecord
from headrace.feedback.orders import NO_ORDERS, Orders, too_many
from headrace.topology.view_codec import LARGEST_BYTES as LARGEST_VIEW_BYTES
from headrace.topology.view_codec import LARGEST_VERSION

LARGEST_BYTES: Final = 32 * 1024**2
MOST_MEMORY_BYTES: Final = 16 * 1024**2
MOST_EVENTS: Final = 100_000
LONGEST_EVENT_BYTES: Final = 4096
VERSION: Final = 1

ObserverName = Annotated[str, Meta(min_length=1, max_length=64)]
UnixTime = Annotated[float, Meta(ge=0.0, le=1e11)]


class Decision(msgspec.Struct, frozen=True):
    """What the one that decides has decided: its memory, the view, the time by its clock, and the
    last events.
    """

    memory: Annotated[bytes, Meta(max_length=MOST_MEMORY_BYTES)]
    view: Annotated[bytes, Meta(max_length=LARGEST_VIEW_BYTES)]
    now: UnixTime
    events: Annotated[
        list[Annotated[bytes, Meta(max_length=LONGEST_EVENT_BYTES)]], Meta(max_length=MOST_EVENTS)
    ] = []


class Document(msgspec.Struct, frozen=True):
    """What an observer tells; `number` is another for each. `awake` is whether it may decide: one
    that has just begun, or that stood still, first hears what the others have decided meanwhile.
    `hears` are the observers that it hears, itself included. `decides` is whom it takes for the one
    that decides, `made_at` and `view` are the place of the last view that it published. `network`
    is the version of its description, `network_name` the name in it ("": none),
    `list_digest` what stands for the list of observers that it has.
    """

    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    observer: ObserverName
    number: Annotated[int, Meta(ge=0, le=2**53)]
    awake: bool
    hears: Annotated[list[ObserverName], Meta(max_length=64)]
    decides: Annotated[str, Meta(max_length=64)] = ""
    made_at: UnixTime = 0.0
    view: Annotated[int, Meta(ge=0, le=LARGEST_VERSION)] = 0
    network: Annotated[str, Meta(max_length=128)] = ""
    network_name: Annotated[str, Meta(max_length=512)] = ""
    list_digest: Annotated[str, Meta(max_length=64)] = ""
    probes: Annotated[dict[Name, ProbeRecord], Meta(max_length=MOST_PROBED)] = {}
    orders: Orders = NO_ORDERS
    decision: Decision | None = None


class DocumentError(HeadraceError):
    """A document that is refused."""


_decoder = msgspec.msgpack.Decoder(Document)
_encoder = msgspec.msgpack.Encoder()


def encode_document(document: Document) -> bytes:
    """Return what goes on the wire."""
    return _encoder.encode(document)


def decode_document(data: bytes, observer: str, network: str = "") -> Document:
    """Return what this observer tells of the network of this name. Raises DocumentError."""
    if len(data) > LARGEST_BYTES:
        raise DocumentError(f"a document has at most {LARGEST_BYTES} bytes")
    try:
        found = _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DocumentError(str(error)[:300]) from error
    if found.observer != observer:
        raise DocumentError(f"it is {found.observer!r}'s, and {observer!r} was asked")
    if network and found.network_name and found.network_name != network:
        raise DocumentError(f"it is of the network {found.network_name!r}, not {network!r}")
    # To join what nobody keeps would hold up probes and decisions for seconds.
    problem = too_many(found.orders)
    if problem:
        raise DocumentError(f"its orders: {problem}")
    return found
