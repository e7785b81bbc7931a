"""First in, first out: a hit changes nothing."""

from __future__ import annotations

from collections import OrderedDict


class Fifo:
    """Evicts what was inserted first."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._used_bytes = 0
        self._sizes: OrderedDict[bytes, int] = OrderedDict()

    def request(self, entry: bytes, size_bytes: int) -> bool:
        if entry in self._sizes:
            return True
        if size_bytes > self._capacity_bytes:
            return False
        while self._used_bytes + size_bytes > self._capacity_bytes:
            self._used_bytes -= self._sizes.popitem(last=False)[1]
        self._sizes[entry] = size_bytes
        self._used_bytes += size_bytes
        return False

    def held(self) -> dict[bytes, int]:
        return dict(self._sizes)
