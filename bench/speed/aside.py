"""What is not measured in slices: idle connections, growth, cold objects, origins, switches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bench.speed import growth, idle, switching
from bench.speed.cold import hits_p99_ratio
from bench.speed.compared import OWN
from bench.speed.load import WrongAnswer
from bench.speed.peers import Peer
from bench.speed.pools import cost_ratio
from bench.speed.processes import NotStarted
from bench.speed.result import Aside, Measured, Sample, plain, rounded
from bench.speed.stand import Stand

OF_FILES = (OWN, "nginx")
"""Those that keep objects in files: others have memory of their own, which can't be taken away."""
Say = Callable[[str], None]


class AsideRun:
    """Fills an `Aside`, a letter at a time."""

    def __init__(
        self, stand: Stand, peers: Sequence[Peer], rounds: int, seconds: float, say: Say
    ) -> None:
        self.found = Aside()
        self._stand = stand
        self._peers = peers
        self._files = [peer for peer in peers if peer.name in OF_FILES]
        self._own = any(peer.name == OWN for peer in peers)
        self._rounds = rounds
        self._seconds = seconds
        self._say = say

    def idle(self) -> list[Measured]:
        """i1 and i2: memory for idle connections."""
        kinds = (("i1", "plain", idle.IDLE, False), ("i2", "TLS", idle.IDLE_TLS, True))
        found = []
        for letter, kind, count, tls in kinds:
            samples: dict[str, dict[int, Sample]] = {}
            failures: dict[str, str] = {}
            for number in range(self._rounds):
                for peer in self._peers:
                    if tls and not peer.tls:
                        continue
                    try:
                        kib = idle.memory_kib(self._stand, peer, count, tls=tls)
                    except (WrongAnswer, NotStarted, OSError) as error:
                        failures[peer.name] = plain(error)
                        self._say(f"  {letter}  {peer.name:14} {error}")
                        continue
                    self._say(f"  {letter}  {peer.name:14} {kib:.2f} KiB")
                    samples.setdefault(peer.name, {})[number] = Sample(rounded(kib))
            title = f"memory for an idle connection, {kind}, server and kernel, of {count:,}"
            found.append(Measured(letter, title, "KiB", False, samples, failures))
        return found

    def growth(self) -> None:
        """k: connections and workers."""
        growth.measure(self._stand, self._files, self._seconds, self.found, self._say)

    def cold(self) -> None:
        """l: what cold objects do to hits."""
        for number in range(self._rounds):
            for peer in self._files:
                with self._noted("l", peer.name):
                    found = hits_p99_ratio(self._stand, peer, number, self._seconds)
                    self.found.cold_ms.setdefault(peer.name, []).append(found)
                    self._say(
                        f"  l   {peer.name:14} p99 {found[0]:.2f} ms beside cold, "
                        f"{found[1]:.2f} ms: {found[2]:.2f}"
                    )

    def pools(self) -> None:
        """m: what it costs that a miss could be continued elsewhere."""
        for number in range(self._rounds if self._own else 0):
            with self._noted("m", OWN):
                times = cost_ratio(self._stand, number, self._seconds)
                self.found.pools.append(times)
                self._say(f"  m   {OWN:14} a miss with three origins : with one: {times:.3f}")

    def switching(self) -> None:
        """n: what a switch in mid-body takes."""
        for number in range(self._rounds if self._own else 0):
            with self._noted("n", OWN):
                found = switching.measure(self._stand, number)
                self.found.switching.append(found)
                self._say(
                    f"  n   {OWN:14} a switch takes {found.requests:g} requests, "
                    f"{found.connects:g} connects and {found.longer_ms:.2f} ms; "
                    f"a stalled origin is left after {found.left_after:.3f}"
                )

    @contextmanager
    def _noted(self, letter: str, name: str) -> Iterator[None]:
        """Note what could not be measured, and continue."""
        try:
            yield
        except (WrongAnswer, NotStarted, OSError) as error:
            self.found.notes.append(plain(f"{letter}, {name}: {error}"))
            self._say(f"  {letter}   {name:14} {error}")
