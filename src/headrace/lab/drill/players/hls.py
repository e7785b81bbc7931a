"""hls.js as a player: a headless Chromium in a client's namespace, whose page says what it does.

The page comes from a socket inside the namespace that this process answers; the video from the VIP,
under the name that the content has.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import msgspec
from aiohttp import web

from headrace.lab.assets import PLAYER
from headrace.lab.drill.players.played import STALL_S, Played, gaps_s, plays_on
from headrace.lab.drill.players.starting import start
from headrace.lab.drill.players.viewers import Viewer
from headrace.lab.errors import LabError
from headrace.lab.lasting import MASTER_PATH, lasting
from headrace.lab.namespaces.namespace import Namespace

LIBRARY = PLAYER / "vendor" / "hls.min.js"
_PAGE = Path(__file__).parent / "page"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
)
"""What lets a browser play by itself, without a screen and without calling home."""
_ENDS_S = 10.0
_MOST_MOMENTS = 20_000
_Text = Annotated[str, msgspec.Meta(max_length=200)]


class Segment(msgspec.Struct, frozen=True):
    """A segment that came."""

    path: _Text
    sha256: _Text


class Said(msgspec.Struct, frozen=True):
    """What the page says: where it is, and what came or failed since it spoke last."""

    time_s: float
    segments: Annotated[list[Segment], msgspec.Meta(max_length=100)]
    fatal: Annotated[list[_Text], msgspec.Meta(max_length=100)]
    errors: Annotated[list[_Text], msgspec.Meta(max_length=1000)]


def program() -> str:
    """Return the browser. Raises LabError."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise LabError("no Chromium is installed: apt-get install chromium")
    return found


def command(viewer: Viewer, profile: str, port: int) -> list[str]:
    """Return what is run. Raises LabError."""
    host = f"[{viewer.vip}]" if ":" in viewer.vip else viewer.vip
    url = quote(f"http://{viewer.host}{MASTER_PATH}", safe="")
    return [
        program(),
        *FLAGS,
        f"--host-resolver-rules=MAP {viewer.host} {host}",
        f"--user-data-dir={profile}",
        # With a port, which nothing connects to, the browser stays; without, it ends at once.
        "--remote-debugging-port=0",
        f"http://127.0.0.1:{port}/?url={url}",
    ]


class HlsJs:
    """It, while it plays. Use as an asynchronous context manager."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._stack = contextlib.AsyncExitStack()
        self._time_s = 0.0
        self._moments_s: list[float] = []
        self._fatal: list[str] = []
        self._came_s: list[float] = []
        self._errors = self._damaged = 0

    async def __aenter__(self) -> HlsJs:
        """Start it. Raises LabError, OSError."""
        async with self._stack as stack:
            profile = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="headrace-drill-", ignore_cleanup_errors=True)
            )
            port = await self._serve(stack)
            started = command(self.viewer, profile, port)
            self._process = await start(self.viewer, started, DEVNULL, DEVNULL)
            stack.push_async_callback(self._stop)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """End it."""
        await self._stack.aclose()

    async def _stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(_ENDS_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _serve(self, stack: contextlib.AsyncExitStack) -> int:
        """Serve the page inside, and return its port."""
        application = web.Application()
        for path, file in (
            ("/", _PAGE / "player.html"),
            ("/player.js", _PAGE / "player.js"),
            ("/hls.min.js", LIBRARY),
        ):
            application.router.add_get(path, _answering(file))
        application.router.add_post("/said", self._heard)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        listening = Namespace(self.viewer.namespace).listen("127.0.0.1", 0)
        await web.SockSite(runner, listening).start()
        port: int = listening.getsockname()[1]
        return port

    async def _heard(self, request: web.Request) -> web.Response:
        try:
            said = msgspec.json.decode(await request.read(), type=Said)
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=f"{error}\n")
        now_s = time.monotonic()
        if said.time_s > self._time_s and len(self._moments_s) < _MOST_MOMENTS:
            self._moments_s.append(now_s)
            self._time_s = said.time_s
        self._fatal += said.fatal
        self._errors += len(said.errors)
        for one in said.segments:
            right = lasting(one.path)
            self._came_s.append(now_s)
            self._damaged += right is None or hashlib.sha256(right).hexdigest() != one.sha256
        return web.Response(status=204)

    @property
    def plays(self) -> bool:
        """Return whether it shows something. Raises LabError where it can't any more."""
        if self._process.returncode is not None:
            raise LabError(f"Chromium ended with {self._process.returncode}")
        if self._fatal:
            raise LabError(f"hls.js failed before the event: {self._fatal[0]}")
        return self._time_s > 0

    def plays_on(self, ended_s: float) -> bool:
        """Return whether it still plays, or will do no more."""
        return self._process.returncode is not None or plays_on(self._moments_s, ended_s)

    async def end(self, event_s: float, ended_s: float) -> Played:
        """Return what it did."""
        fatal = list(self._fatal)
        if self._damaged:
            fatal.append(f"{self._damaged} segments had other bytes")
        if self._process.returncode is not None:
            fatal.append(f"the browser ended by itself with {self._process.returncode}")
        elif not plays_on(self._moments_s, ended_s):
            fatal.append("it plays no more")
        gaps = gaps_s(self._moments_s, event_s, ended_s)
        return Played(
            player=self.viewer.player,
            client=self.viewer.client,
            vip=self.viewer.vip,
            fatal=fatal,
            stalls=sum(gap > STALL_S for gap in gaps),
            longest_s=max(gaps, default=0.0),
            pieces=len(self._came_s),
            since=sum(at_s >= event_s for at_s in self._came_s),
            missing=0,
            damaged=self._damaged,
            errors=self._errors,
        )


def _answering(file: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.FileResponse(file)

    return answer
