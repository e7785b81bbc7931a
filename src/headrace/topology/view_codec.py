"""A view as it is written by who observes the network, and read by nodes: JSON. Pure.

What comes in may be anything. A view is taken as a whole or refused as a whole; `Refusal` has the
few kinds of why, for counts and the log.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError
from headrace.topology.view import Cause, ServerState, ServerView, View

LARGEST_BYTES = 4 * 1024 * 1024
LARGEST_TAKEN_BYTES = 8 * LARGEST_BYTES
"""The same of a view that was taken, as a node hands it on: it may have been written shorter."""

LARGEST_VERSION = 2**53
AHEAD_S = 60.0
"""How much later than now a view may say that it was made, by clocks that differ."""

Value = TypeVar("Value")

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Weight = Annotated[float, Meta(ge=0.0, le=1e6)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Width = Annotated[int, Meta(ge=1, le=65536)]
UnixTime = Annotated[float, Meta(ge=0.0, le=1e11)]


class Refusal(enum.StrEnum):
    """Why a view is not taken."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    FROM_THE_FUTURE = "from_the_future"
    OLDER = "older"
    UNREADABLE = "unreadable"
    OTHER_NETWORK = "other_network"


class ViewError(HeadraceError):
    """A view that is refused."""

    def __init__(self, kind: Refusal, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class WireServer(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A server's state, the share of its capacity that counts, why, and until when (Unix time)."""

    state: ServerState = ServerState.ONLINE
    weight: Weight = 1.0
    cause: Cause = Cause.OBSERVED
    until: UnixTime | None = None


class WireView(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The document. `made_at` is Unix time in seconds."""

    version: Annotated[int, Meta(ge=1, le=LARGEST_VERSION)]
    made_at: UnixTime
    servers: dict[Name, WireServer] = {}
    coverage: dict[Name, dict[Name, Weight]] = {}
    demand: dict[Name, dict[Name, Share]] = {}
    widths: dict[Name, dict[Name, Width]] = {}
    by_class: dict[Name, dict[Name, dict[Name, Weight]]] = {}
    network: Annotated[str, Meta(max_length=512)] = ""


_decoder = msgspec.json.Decoder(WireView)


def decode_view(data: bytes | memoryview, most_bytes: int = LARGEST_BYTES) -> View:
    """Return the view that a document says. Raises ViewError."""
    if len(data) > most_bytes:
        raise ViewError(
            Refusal.TOO_LARGE, f"it has more than {most_bytes} bytes, the most that a view has"
        )
    try:
        wire = _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ViewError(Refusal.MALFORMED, str(error)[:300]) from error
    return view_of(wire)


def view_of(wire: WireView) -> View:
    """Return the view that a document says when it was decoded already."""
    return View(
        wire.version,
        wire.made_at,
        MappingProxyType(
            {
                name: ServerView(one.state, one.weight, one.cause, one.until)
                for name, one in wire.servers.items()
            }
        ),
        _fixed(wire.coverage),
        _fixed(wire.demand),
        _fixed(wire.widths),
        MappingProxyType({name: _fixed(one) for name, one in wire.by_class.items()}),
        wire.network,
    )


def encode_view(view: View) -> bytes:
    """Return the document that says a view: one line of JSON, without its end.

    Raises ViewError for one that no node would take.
    """
    data = encode_taken(view)
    decode_view(data)
    return data


def encode_taken(view: View) -> bytes:
    """Return the same for a view that was taken already, or came of one."""
    return msgspec.json.encode(wire_of(view))


def wire_of(view: View) -> WireView:
    """Return the same as a value that other documents may have in them."""
    return WireView(
        view.version,
        view.made_at,
        {
            name: WireServer(one.state, one.weight, one.cause, one.until)
            for name, one in view.servers.items()
        },
        {name: dict(weights) for name, weights in view.coverage.items()},
        {name: dict(shares) for name, shares in view.demand.items()},
        {name: dict(widths) for name, widths in view.widths.items()},
        {
            content: {name: dict(weights) for name, weights in coverage.items()}
            for content, coverage in view.by_class.items()
        },
        view.network,
    )


def check_network(view: View, name: str) -> None:
    """Raise ViewError for a view of another network than the one of this name. A view that names
    none, as those of older observers, is taken, and so is every one where the name is "".
    """
    if name and view.network and view.network != name:
        raise ViewError(
            Refusal.OTHER_NETWORK, f"it is of the network {view.network!r}, and this is {name!r}"
        )


def check_newer(view: View, in_force: View, now: float) -> bool:
    """Return whether a view replaces the one in force; False when it is that one.

    The later made counts; of those made at the same time, the higher version. Raises ViewError for
    an older one, and for one from the future, which would keep all others out. So would the one in
    force when the clock was set back since: then any other is taken.
    """
    if view.made_at > now + AHEAD_S:
        raise ViewError(
            Refusal.FROM_THE_FUTURE,
            f"it says it was made {view.made_at - now:.0f} s from now: set the clocks of this "
            "machine and of the writer right",
        )
    age = (view.made_at, view.version)
    known = (in_force.made_at, in_force.version)
    if in_force.made_at > now + AHEAD_S:
        return age != known
    if age < known:
        raise ViewError(
            Refusal.OLDER,
            f"version {view.version} is older than version {in_force.version}, in force, by "
            f"{known[0] - age[0]:.0f} s: two write views, or their clocks differ",
        )
    return age > known


def _fixed(table: Mapping[str, Mapping[str, Value]]) -> Mapping[str, Mapping[str, Value]]:
    return MappingProxyType({name: MappingProxyType(one) for name, one in table.items()})
