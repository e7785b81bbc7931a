"""What the controller keeps from one step to the next, as it is written down and adopted. Pure.

What comes in may be anything: it is taken as a whole or refused as a whole.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.errors import HeadraceError
from headrace.feedback.balance.model import NO_BALANCE, Balance
from headrace.feedback.control.heavy_shards import HeavyShards
from headrace.feedback.orders import NO_ORDERS, Orders
from headrace.feedback.states.model import Alarm, States
from headrace.topology.view_codec import WireView

LARGEST_BYTES = 16 * 1024 * 1024
FORMAT = 1
MOST_ALARMS = 100


class MemoryDecodeError(HeadraceError):
    """A memory that is refused."""


class Memory(msgspec.Struct, frozen=True, omit_defaults=True):
    """A controller's memory. `at` is the network's time of its last step, in Unix seconds (0:
    never).

    It says nothing of how old it is: who keeps it, or adopted it from another observer, tells the
    controller how long ago its last step was.
    """

    format: Annotated[int, Meta(ge=FORMAT, le=FORMAT)] = FORMAT
    at: Annotated[float, Meta(ge=0.0, le=1e11)] = 0.0
    states: States = States()
    orders: Orders = NO_ORDERS
    heavy: HeavyShards = HeavyShards()
    balance: Balance = NO_BALANCE
    kept: WireView | None = None
    """The view as it was when the automation was stopped."""
    alarms: Annotated[tuple[Alarm, ...], Meta(max_length=MOST_ALARMS)] = ()
    """What could not be settled, for those who do not decide themselves; a bounded part of it."""


NO_MEMORY = Memory()

_decoder = msgspec.json.Decoder(Memory)


def encode_memory(memory: Memory) -> bytes:
    """Return the document that says a memory."""
    return msgspec.json.encode(memory)


def decode_memory(data: bytes | bytearray | memoryview) -> Memory:
    """Return the memory that a document says. Raises MemoryDecodeError."""
    if len(data) > LARGEST_BYTES:
        raise MemoryDecodeError(f"a memory has at most {LARGEST_BYTES} bytes")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MemoryDecodeError(str(error)[:300]) from error
