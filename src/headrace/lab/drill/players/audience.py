"""All viewers of a run: started, waited for until they play, ended and judged."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Iterable

from headrace.lab.drill.players.ffmpeg import Ffmpeg, original
from headrace.lab.drill.players.hls import LIBRARY, HlsJs, program
from headrace.lab.drill.players.played import AGAIN_WITHIN_S, Played
from headrace.lab.drill.players.viewers import FFMPEG, HLS_JS, PLAYERS, Viewer
from headrace.lab.errors import LabError

PLAYS_WITHIN_S = 60.0
_POLL_S = 0.05


def refuse_missing_players(players: Iterable[str]) -> None:
    """Refuse what there is not, or what this machine has not. Raises LabError."""
    for player in players:
        if player not in PLAYERS:
            raise LabError(f"{player}: no such player: name some of {', '.join(PLAYERS)}")
        if player == FFMPEG and shutil.which("ffmpeg") is None:
            raise LabError("ffmpeg is not installed: apt-get install ffmpeg")
        if player == HLS_JS:
            program()
            if not LIBRARY.is_file():
                raise LabError("the player's library hls.js is not installed: run 'make demo' once")


class Audience:
    """Viewers of one run. Use as an asynchronous context manager: inside, all of them play."""

    def __init__(self, viewers: Iterable[Viewer]) -> None:
        self._viewers = list(viewers)
        self._stack = contextlib.AsyncExitStack()
        self._playing: list[Ffmpeg | HlsJs] = []

    async def __aenter__(self) -> Audience:
        """Start them, and wait until all play. Raises LabError, OSError."""
        if any(one.player == FFMPEG for one in self._viewers):
            await asyncio.to_thread(original)
        async with self._stack as stack:
            for viewer in self._viewers:
                made = HlsJs(viewer) if viewer.player == HLS_JS else Ffmpeg(viewer)
                self._playing.append(await stack.enter_async_context(made))
            await self._until_all_play()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """End them."""
        await self._stack.aclose()

    async def _until_all_play(self) -> None:
        until_s = time.monotonic() + PLAYS_WITHIN_S
        while late := [one.viewer for one in self._playing if not one.plays]:
            if time.monotonic() > until_s:
                names = ", ".join(f"{one.player} of {one.client} at {one.vip}" for one in late)
                raise LabError(f"{names}: shows nothing after {PLAYS_WITHIN_S:g} s")
            await asyncio.sleep(_POLL_S)

    async def end(self, event_s: float) -> list[Played]:
        """Wait for those that stand still, let all end, and return what they did. Raises
        LabError.
        """
        ended_s = time.monotonic()
        while time.monotonic() < ended_s + AGAIN_WITHIN_S:
            if all(one.plays_on(ended_s) for one in self._playing):
                break
            await asyncio.sleep(_POLL_S)
        return list(await asyncio.gather(*(one.end(event_s, ended_s) for one in self._playing)))
