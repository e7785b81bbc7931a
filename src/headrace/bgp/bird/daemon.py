"""BIRD, told by a file that its configuration includes, which is checked before it counts."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

from headrace.bgp.announcement import Announcement, Family, IPNetwork
from headrace.bgp.bird.control import FIRST_ERROR, Control
from headrace.bgp.bird.include import IncludeFile
from headrace.bgp.bird.text import include_text, read_protocols, read_routes
from headrace.bgp.errors import BgpError
from headrace.bgp.events import Attributes, SessionKey
from headrace.bgp.polled import RefusedError, Seen

SOCKET = Path("/run/bird/bird.ctl")
INCLUDE = Path("/etc/bird/headrace.conf")

log = structlog.get_logger()


class BirdDaemon:
    """A BIRD whose configuration has `include` in it."""

    def __init__(self, local_as: int, *, socket: Path = SOCKET, include: Path = INCLUDE) -> None:
        self._local_as = local_as
        self._include = IncludeFile(include)
        self._applied = False
        self._control = Control(socket)
        self._names: dict[SessionKey, str] = {}

    def check(self, announcements: Iterable[Announcement]) -> None:
        """Accept everything."""

    async def apply(self, announcements: list[Announcement]) -> None:
        """Replace the file and reload, or keep the former. Raises RefusedError, BgpError."""
        former = self._include.read()
        try:
            await self._include.write(include_text(announcements, self._local_as))
        except BgpError as error:
            if not self._applied:
                raise
            # BIRD is there, and announces what it was told before.
            raise RefusedError(str(error)) from None
        code, answer = await self._control.ask("configure check")
        if code < FIRST_ERROR:
            code, answer = await self._control.ask("configure soft")
        if code < FIRST_ERROR:
            await self._switch("enable")
            self._applied = True
            return
        with contextlib.suppress(BgpError):
            await self._include.write(former or include_text([], self._local_as))
        raise RefusedError(f"BIRD refuses the configuration: {_last(answer)}")

    async def withdraw(self) -> None:
        """Replace the file by one without announcements. Raises BgpError.

        Where that cannot be written, or BIRD refuses its configuration for whatever is wrong
        elsewhere, the protocols of the file are switched off, until `apply` succeeds.
        """
        try:
            await self._include.write(include_text([], self._local_as))
        except BgpError as error:
            log.warning("bird_include_not_written", problem=str(error))
        else:
            code, answer = await self._control.ask("configure soft")
            if code < FIRST_ERROR:
                return
            log.warning("bird_refuses", detail=_last(answer))
        await self._switch("disable")

    async def _switch(self, command: str) -> None:
        for family in Family:
            await self._control.ask(f"{command} headrace{family.value}")

    async def sessions(self) -> dict[SessionKey, Seen]:
        """Return how its sessions are. Raises BgpError."""
        _code, answer = await self._control.ask("show protocols all")
        protocols = read_protocols(answer)
        self._names = {session: name for session, (name, _seen) in protocols.items()}
        return {session: seen for session, (_name, seen) in protocols.items()}

    async def received(self, session: SessionKey) -> Mapping[IPNetwork, Attributes]:
        """Return what a router announces. Raises BgpError."""
        name = self._names.get(session)
        if name is None:
            return {}
        code, answer = await self._control.ask(f"show route protocol {name} all")
        if code >= FIRST_ERROR:
            return {}
        # Megabytes of text would hold up everything else.
        return await asyncio.to_thread(read_routes, answer)

    def disconnect(self) -> None:
        """Close the control socket."""
        self._control.close()


def _last(answer: str) -> str:
    """Return the line that says what is wrong, which comes after those about reading."""
    lines = [line for line in answer.split("\n") if line and not re.match("Reading", line)]
    return (lines or [""])[-1][:300]
