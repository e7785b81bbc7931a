"""ffmpeg as a player in a client's namespace: it takes the stream as fast as it is shown, and
writes the hash of each packet.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
import time
from asyncio.subprocess import PIPE
from functools import cache
from pathlib import Path

from headrace.lab.drill.players.packets import Original, Packet, packet
from headrace.lab.drill.players.played import STALL_S, Played, gaps_s, plays_on
from headrace.lab.drill.players.starting import start
from headrace.lab.drill.players.viewers import Viewer
from headrace.lab.errors import LabError
from headrace.lab.lasting import LASTING, LOOP_S, TRANSPORT_PATH, one_loop
from headrace.lab.namespaces.commands import run

PATIENCE_S = 5
"""ffmpeg would wait for ever for an answer."""
_ENDS_S = 10.0
_TOLD_TO_END = 255
# From a fragmented MP4 that ended early ffmpeg 5.1 may never find its way into the next one; in a
# transport stream it does.
_STREAMS = ("-map", "v:0", "-map", "a:0")
_OUTPUT = (*_STREAMS, "-c", "copy", "-f", "framemd5", "-flush_packets", "1", "-")
_MOST_PACKETS = 200_000
_MOST_LETTERS = 200


def command(viewer: Viewer) -> list[str]:
    """Return what is run. Pure."""
    host = f"[{viewer.vip}]" if ":" in viewer.vip else viewer.vip
    return [
        *("ffmpeg", "-nostdin", "-v", "error", "-re", "-copyts"),
        *("-headers", f"Host: {viewer.host}\r\n", "-rw_timeout", f"{PATIENCE_S}000000"),
        *("-i", f"http://{host}{TRANSPORT_PATH}", *_OUTPUT),
    ]


@cache
def original() -> Original:
    """Return the packets of the stream, as ffmpeg reads them from files. Raises LabError."""
    with tempfile.TemporaryDirectory() as directory:
        for path, data in one_loop():
            file = Path(directory, path.removeprefix(LASTING))
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
        playlist = str(Path(directory, TRANSPORT_PATH.removeprefix(LASTING)))
        said = run("ffmpeg", "-nostdin", "-v", "error", "-copyts", "-i", playlist, *_OUTPUT)
    return Original(said.splitlines(), LOOP_S)


class Ffmpeg:
    """It, while it plays. Use as an asynchronous context manager."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._packets: list[Packet] = []
        self._moments_s: list[float] = []

    async def __aenter__(self) -> Ffmpeg:
        """Start it."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        self._process = await start(self.viewer, command(self.viewer), self._said, PIPE)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_error: object) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reader
        self._said.close()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            found = packet(line.decode(errors="replace"))
            if found is not None and len(self._packets) < _MOST_PACKETS:
                self._packets.append(found)
                if original().is_right(found):
                    self._moments_s.append(time.monotonic())

    @property
    def plays(self) -> bool:
        """Return whether something came. Raises LabError where it has ended."""
        if self._process.returncode is not None:
            raise LabError(f"ffmpeg ended with {self._process.returncode}: {self._complaints()}")
        return bool(self._moments_s)

    def plays_on(self, ended_s: float) -> bool:
        """Return whether it still plays, or will do no more."""
        return self._process.returncode is not None or plays_on(self._moments_s, ended_s)

    async def end(self, event_s: float, ended_s: float) -> Played:
        """Let it end, and return what it did. Raises LabError."""
        early = self._process.returncode
        if early is None:
            self._process.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(_ENDS_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        await self._process.wait()
        await self._reader
        return self._judged(early, event_s, ended_s)

    def _judged(self, early: int | None, event_s: float, ended_s: float) -> Played:
        complaints = self._complaints()
        fatal = []
        if early is not None:
            fatal.append(f"it ended by itself with {early}: {' / '.join(complaints[-3:])}")
        elif not plays_on(self._moments_s, ended_s):
            fatal.append("it plays no more")
        elif self._process.returncode not in (0, _TOLD_TO_END):
            fatal.append(f"it ended with {self._process.returncode}")
        gaps = gaps_s(self._moments_s, event_s, ended_s)
        compared = original().compare(self._packets)
        return Played(
            player=self.viewer.player,
            client=self.viewer.client,
            vip=self.viewer.vip,
            fatal=fatal,
            stalls=sum(gap > STALL_S for gap in gaps),
            longest_s=max(gaps, default=0.0),
            pieces=compared.came,
            since=sum(at_s >= event_s for at_s in self._moments_s),
            missing=compared.missing,
            damaged=compared.damaged,
            errors=len(complaints),
        )

    def _complaints(self) -> list[str]:
        """Return what it complained about, a line each."""
        self._said.seek(0)
        lines = self._said.read(1 << 20).decode(errors="replace").splitlines()
        return [line[:_MOST_LETTERS] for line in lines if line.strip()]
