"""A new description or view comes into force without an answer that waits for it.

Where everything is under it is worked out in steps, and clients are answered in between by what is
in force. What takes no more than one step is in force at once. What comes meanwhile waits until the
one before is in force: else a network whose view changes often would never have one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final, Generic, Protocol, TypeVar

from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View

STEP_S: Final = 0.003
"""So long is worked at once; then others have as long."""


class Stepwise(Protocol):
    """What can be worked out in steps: a `RouterNetwork`."""

    def steps(self) -> Iterator[None]:
        """Work it out."""


Made = TypeVar("Made", bound=Stepwise)


class Adoption(Generic[Made]):
    """Works out what `make` makes of what comes, and hands it to `adopt`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        make: Callable[[NetworkSnapshot, View], Made],
        adopt: Callable[[Made], None],
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._loop = loop
        self._make = make
        self._adopt = adopt
        self._now = now
        self._wanted: tuple[NetworkSnapshot, View] | None = None
        self._made: tuple[Made, Iterator[None]] | None = None
        self._next: asyncio.Handle | None = None

    def begin(self, network: NetworkSnapshot, view: View) -> None:
        """Bring these into force."""
        self._wanted = (network, view)
        if self._made is None:
            self._work()

    def close(self) -> None:
        """Stop."""
        if self._next is not None:
            self._next.cancel()

    def _work(self) -> None:
        """Work for a step, and so on until nothing is left."""
        until_s = self._now() + STEP_S
        try:
            while self._made is not None or self._wanted is not None:
                if self._made is None:
                    assert self._wanted is not None
                    wanted, self._wanted = self._wanted, None
                    made = self._make(*wanted)
                    self._made = made, made.steps()
                made, steps = self._made
                for _step in steps:
                    if self._now() >= until_s:
                        self._next = self._loop.call_later(STEP_S, self._work)
                        return
                self._made = None
                self._adopt(made)
        except BaseException:
            self._made = None  # what is in force stays, and what comes next has its turn
            if self._wanted is not None:
                self._next = self._loop.call_later(STEP_S, self._work)
            raise
