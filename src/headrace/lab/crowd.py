"""A crowd that watches: requests such as so many players make, so that a site's load can be raised.

Each viewer comes from a network of its own (an address of 127.0.0.0/8), asks the router where to go
every few seconds, and takes a small piece each second from there. There is a bound to how many they
are, and each waits for its piece before it asks for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from headrace.lab.assets import crowd_path
from headrace.lab.errors import LabError
from headrace.lab.plan import Place

MOST_VIEWERS = 200
PIECE_S = 1.0
PIECES = 4
"""So many are taken from a server before the router is asked again."""
ANSWER_WITHIN_S = 3.0
STEP_S = 0.25
COMING, LEAVING = 1, 4
"""So many viewers come in a step at most, and leave: people do not all come at once."""
_APART = 0.618


class Crowd:
    """Viewers, `wanted` of them before long. `site_of` says where a URL's server stands.

    `bps` is what came from each site in the last second, `failed` how many requests brought
    nothing.
    """

    def __init__(self, router: Place, site_of: Callable[[str], str]) -> None:
        self.wanted = 0
        self.failed = 0
        self.bps: dict[str, float] = {}
        self._router = router
        self._site_of = site_of
        self._viewers: list[asyncio.Task[None]] = []
        self._bytes: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._viewers)

    def want(self, viewers: int) -> None:
        """Have so many viewers before long. Raises LabError."""
        if not 0 <= viewers <= MOST_VIEWERS:
            raise LabError(f"{viewers} viewers: choose 0 to {MOST_VIEWERS}")
        self.wanted = viewers

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        counted_s = loop.time()
        try:
            while True:
                self._come_and_leave()
                now_s = loop.time()
                if now_s - counted_s >= 1.0:
                    took, self._bytes = self._bytes, Counter()
                    self.bps = {site: 8 * n / (now_s - counted_s) for site, n in took.items()}
                    counted_s = now_s
                await asyncio.sleep(STEP_S)
        finally:
            for viewer in self._viewers:
                viewer.cancel()
            await asyncio.gather(*self._viewers, return_exceptions=True)

    def _come_and_leave(self) -> None:
        missing = self.wanted - len(self._viewers)
        for _ in range(min(missing, COMING)):
            number = len(self._viewers)
            self._viewers.append(asyncio.create_task(self._watch(number)))
        for _ in range(min(-missing, LEAVING)):
            self._viewers.pop().cancel()

    async def _watch(self, number: int) -> None:
        """Be one viewer until cancelled."""
        loop = asyncio.get_running_loop()
        next_s = loop.time() + number * _APART % 1.0 * PIECE_S
        connector = aiohttp.TCPConnector(
            local_addr=source_of(self._router.host, number), limit=2, keepalive_timeout=2 * PIECE_S
        )
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            base, piece = "", number * 7
            while True:
                await asyncio.sleep(next_s - loop.time())
                path = crowd_path(piece)
                if piece % PIECES == number % PIECES or not base:
                    base = await self._guided(session, path)
                if not base or not await self._take(session, base, path):
                    self.failed += 1
                    base = ""
                piece += 1
                next_s = max(next_s + PIECE_S, loop.time())

    async def _guided(self, session: aiohttp.ClientSession, path: str) -> str:
        """Return which server the router sends this viewer to; "" if it does not say."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.get(self._router.url + path, allow_redirects=False) as response:
                parts = urlsplit(response.headers.get("Location", ""))
                return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
        return ""

    async def _take(self, session: aiohttp.ClientSession, base: str, path: str) -> bool:
        """Take a piece, and count it; return whether it came."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.get(base + path) as response:
                body = await response.read()
                if response.status == 200:
                    self._bytes[self._site_of(base)] += len(body)
                    return True
        return False


def source_of(host: str, number: int) -> tuple[str, int] | None:
    """Return the address that a viewer comes from: of a /24 of its own, since the router shares
    clients by their networks. None where IPv6 is spoken: they have one network there.
    """
    return None if ":" in host else (f"127.{64 + number // 256}.{number % 256}.1", 0)
