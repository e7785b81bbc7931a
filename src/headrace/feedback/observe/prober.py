"""Probes every server once in an interval: a small object through the whole way that a client's
request takes.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace.feedback.observation import Outcome
from headrace.feedback.observe.targets import Probe, Target

LARGEST_BYTES = 64 * 1024
USER_AGENT = "headrace-probe"


@dataclass(frozen=True, slots=True)
class ProbeTimes:
    """How often, and how long: see `[probing]`."""

    interval_s: float = 1.0
    timeout_s: float = 0.8
    slow_s: float = 0.5
    keep_alive: bool = False


OnResult = Callable[[str, Outcome, float | None, float | None], None]
"""Takes a server, how its probe ended, and the seconds to the first byte and to the last."""


class Prober:
    """Probes `targets` for `probes` until `run` is cancelled. Both may be replaced at any time."""

    def __init__(
        self,
        targets: Sequence[Target],
        probes: Sequence[Probe],
        on_result: OnResult,
        times: ProbeTimes,
        ca: Path | None = None,
    ) -> None:
        self.targets = tuple(targets)
        self.probes = tuple(probes)
        self.times = times
        self._on_result = on_result
        self._tls = ssl.create_default_context(cafile=None if ca is None else str(ca))
        self._turn = 0
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Probe until it is cancelled."""
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        try:
            while True:
                self._turn += 1
                targets = self.targets if self.probes else ()
                step_s = self.times.interval_s / max(1, len(targets))
                for number, target in enumerate(targets):
                    await asyncio.sleep(max(0.0, next_s + number * step_s - loop.time()))
                    task = loop.create_task(self._probe(target, number))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                next_s = max(next_s + self.times.interval_s, loop.time())
                await asyncio.sleep(max(0.0, next_s - loop.time()))
        finally:
            for task in self._running:
                task.cancel()

    async def _probe(self, target: Target, number: int) -> None:
        probe = self.probes[(self._turn + number) % len(self.probes)]
        address = target.addresses[self._turn % len(target.addresses)]
        secure = probe.https if probe.https is not None else target.https_port is not None
        port = target.https_port if secure else target.http_port
        if port is None:
            return
        began = time.monotonic()
        first: float | None = None
        try:
            async with asyncio.timeout(self.times.timeout_s):
                reader, writer = await asyncio.open_connection(
                    address,
                    port,
                    ssl=self._tls if secure else None,
                    server_hostname=probe.host if secure else None,
                    limit=LARGEST_BYTES,
                )
                try:
                    writer.write(
                        f"GET {probe.path} HTTP/1.1\r\nHost: {probe.host}\r\n"
                        f"User-Agent: {USER_AGENT}\r\nConnection: close\r\n\r\n".encode()
                    )
                    head = await reader.readuntil(b"\r\n\r\n")
                    first = time.monotonic() - began
                    body = await reader.read(LARGEST_BYTES + 1)
                    while part := await reader.read(LARGEST_BYTES + 1 - len(body)):
                        body += part
                finally:
                    writer.transport.abort()
        except (TimeoutError, ssl.SSLError, OSError, EOFError, asyncio.LimitOverrunError) as error:
            self._on_result(target.server, _outcome(error), first, None)
            return
        total = time.monotonic() - began
        self._on_result(target.server, self._judged(probe, head, body, total), first, total)

    def _judged(self, probe: Probe, head: bytes, body: bytes, total_s: float) -> Outcome:
        if not head.startswith(b"HTTP/1.1 "):
            return Outcome.MALFORMED
        if not head.startswith(b"HTTP/1.1 200"):
            return Outcome.STATUS
        if probe.sha256 is not None and hashlib.sha256(body).hexdigest() != probe.sha256:
            return Outcome.WRONG_BYTES
        return Outcome.SLOW if total_s > self.times.slow_s else Outcome.OK


def _outcome(error: Exception) -> Outcome:
    match error:
        case TimeoutError():
            return Outcome.TIMEOUT
        case ssl.SSLError():
            return Outcome.TLS
        case ConnectionRefusedError():
            return Outcome.REFUSED
        case ConnectionError() | EOFError():
            return Outcome.CUT
        case asyncio.LimitOverrunError():
            return Outcome.MALFORMED
        case _:
            return Outcome.UNREACHABLE
