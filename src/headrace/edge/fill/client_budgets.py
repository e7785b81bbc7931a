"""How much of the origins one client network may take: requests under way, and bytes that no one
waits for. Pure: `now` is an argument.

Whatever a client starts and leaves behind (a fill whose origin is slow, a body that still comes)
is charged to its network here, and given back when it ends, however it ends.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

from headrace.edge.peers.membership import PEER_PREFIX

MOST_NETWORKS = 4096


class Counts:
    """Counts what is held for each network, up to a limit for one and a limit for all.

    The network "" has no limit of its own: clients of a Unix socket, which are one local proxy. A
    server of the network speaks for many: it counts as `networks_each` of them.
    """

    __slots__ = ("_held", "most", "most_each", "networks_each", "total")

    def __init__(self, most_each: int, most: int = 2**62) -> None:
        self.most_each = most_each
        self.networks_each = 1
        self.most = most
        self.total = 0
        self._held: dict[str, int] = {}

    def take(self, network: str) -> bool:
        """Return whether there is room for one more; if so, it is counted. Each needs its
        `give`.
        """
        held = self._held.get(network, 0)
        if self.total >= self.most:
            return False
        if held >= self.most_each and network and held >= self._most(network):
            return False
        self._held[network] = held + 1
        self.total += 1
        return True

    def _most(self, network: str) -> int:
        networks = self.networks_each if network.startswith(PEER_PREFIX) else 1
        return self.most_each * networks

    def give(self, network: str) -> None:
        """Release one that was taken."""
        held = self._held[network] - 1
        self.total -= 1
        if held:
            self._held[network] = held
        else:
            del self._held[network]

    @contextlib.contextmanager
    def hold(self, network: str) -> Iterator[bool]:
        """Hold one while the block runs; yield whether there was room."""
        taken = self.take(network)
        try:
            yield taken
        finally:
            if taken:
                self.give(network)

    def held(self, network: str) -> int:
        """Return how many are held for a network."""
        return self._held.get(network, 0)


@dataclass(slots=True)
class _Account:
    spent_bytes: float
    since: float


class ByteBudget:
    """Bytes that each network may spend: a burst, refilled at a rate.

    Remembers at most `MOST_NETWORKS` that have spent anything lately; when there are more, those
    that are new share one account.
    """

    __slots__ = (
        "_accounts", "_looked_through", "burst_bytes", "networks_each", "rate_bytes_per_s",
    )  # fmt: skip

    def __init__(self, burst_bytes: int, rate_bytes_per_s: float) -> None:
        self.networks_each = 1
        self.burst_bytes = burst_bytes
        self.rate_bytes_per_s = rate_bytes_per_s
        self._accounts: dict[str, _Account] = {}
        self._looked_through = -math.inf

    def spend(self, network: str, size_bytes: int, now: float) -> bool:
        """Charge bytes; False when the network has none left, and then nothing is charged."""
        account = self._account(network, now)
        if account.spent_bytes + size_bytes > self.burst_bytes * self._networks(network):
            return False
        account.spent_bytes += size_bytes
        return True

    def left_bytes(self, network: str, now: float) -> float:
        """Return what a network may still spend now."""
        account = self._accounts.get(network)
        if account is None:
            return float(self.burst_bytes)
        self._refill(account, now, self._networks(network))
        return self.burst_bytes * self._networks(network) - account.spent_bytes

    def _networks(self, network: str) -> int:
        return self.networks_each if network.startswith(PEER_PREFIX) else 1

    def _account(self, network: str, now: float) -> _Account:
        accounts = self._accounts
        account = accounts.get(network)
        if account is None:
            if len(accounts) >= MOST_NETWORKS:
                self._forget_refilled(now)
            if len(accounts) >= MOST_NETWORKS:
                network = ""
                account = accounts.get(network)
        if account is None:
            account = accounts[network] = _Account(0.0, now)
        self._refill(account, now, self._networks(network))
        return account

    def _refill(self, account: _Account, now: float, networks: int = 1) -> None:
        gained = max(0.0, now - account.since) * self.rate_bytes_per_s * networks
        account.spent_bytes = max(0.0, account.spent_bytes - gained)
        account.since = now

    def _forget_refilled(self, now: float) -> None:
        """Drop the accounts that owe nothing; no more than once a second, for it looks at all."""
        if now - self._looked_through < 1.0:
            return
        self._looked_through = now
        for network, account in list(self._accounts.items()):
            self._refill(account, now, self._networks(network))
            if not account.spent_bytes:
                del self._accounts[network]
