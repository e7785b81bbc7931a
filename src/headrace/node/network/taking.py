"""A worker's side: the description and the view that the supervisor handed to it last."""

from __future__ import annotations

import os
from collections.abc import Callable

from headrace.errors import HeadraceError
from headrace.node.messages import TakeNetwork
from headrace.node.network.mapped import mapped
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import NO_VIEW, View
from headrace.topology.view_codec import LARGEST_TAKEN_BYTES, decode_view

Adopt = Callable[[NetworkSnapshot, View], None]


class TakenNetwork:
    """What was taken, if anything was."""

    def __init__(self) -> None:
        self._network: NetworkSnapshot | None = None
        self._view: View = NO_VIEW
        self._wire = b"null"

    def take(self, message: TakeNetwork, descriptors: list[int]) -> str:
        """Take what the supervisor sent; return why that is impossible, "" if it was done."""
        try:
            if message.description:
                self._network = mapped(descriptors[0])
            wire = bytes(message.view)
            if wire != self._wire:
                self._view = NO_VIEW if wire == b"null" else decode_view(wire, LARGEST_TAKEN_BYTES)
                self._wire = wire
        except (HeadraceError, OSError, ValueError) as error:
            return str(error)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return ""

    def hand_to(self, adopt: Adopt) -> bool:
        """Have the role work by it; return whether there is anything to work by."""
        if self._network is None:
            return False
        adopt(self._network, self._view)
        return True
