"""SIEVE (Zhang et al., NSDI 2024): a FIFO queue in which a hand skips what was visited.

The hand stays where it evicted last, so survivors keep their place and new entries are sifted soon.
"""

from __future__ import annotations


class _Node:
    __slots__ = ("entry", "newer", "older", "size_bytes", "visited")

    def __init__(self, entry: bytes, size_bytes: int) -> None:
        self.entry = entry
        self.size_bytes = size_bytes
        self.visited = False
        self.newer: _Node | None = None
        self.older: _Node | None = None


class Sieve:
    """Evicts the first entry, from the hand towards the newest, that was not visited."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._used_bytes = 0
        self._nodes: dict[bytes, _Node] = {}
        self._newest: _Node | None = None
        self._oldest: _Node | None = None
        self._hand: _Node | None = None

    def request(self, entry: bytes, size_bytes: int) -> bool:
        node = self._nodes.get(entry)
        if node is not None:
            node.visited = True
            return True
        if size_bytes > self._capacity_bytes:
            return False
        while self._used_bytes + size_bytes > self._capacity_bytes:
            self._evict()
        self._insert(_Node(entry, size_bytes))
        return False

    def held(self) -> dict[bytes, int]:
        return {entry: node.size_bytes for entry, node in self._nodes.items()}

    def _insert(self, node: _Node) -> None:
        node.older = self._newest
        if self._newest is None:
            self._oldest = node
        else:
            self._newest.newer = node
        self._newest = node
        self._nodes[node.entry] = node
        self._used_bytes += node.size_bytes

    def _evict(self) -> None:
        node = self._hand or self._oldest
        while node is not None and node.visited:
            node.visited = False
            node = node.newer or self._oldest
        assert node is not None, "evicting from an empty cache"
        self._hand = node.newer
        self._unlink(node)

    def _unlink(self, node: _Node) -> None:
        if node.newer is None:
            self._newest = node.older
        else:
            node.newer.older = node.older
        if node.older is None:
            self._oldest = node.newer
        else:
            node.older.newer = node.newer
        del self._nodes[node.entry]
        self._used_bytes -= node.size_bytes
