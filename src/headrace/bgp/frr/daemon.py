"""FRR's bgpd, told by commands over its own socket. Its saved configuration is not touched, so a
bgpd that starts again announces nothing until it is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from headrace.bgp.announcement import Announcement, IPNetwork
from headrace.bgp.errors import BgpError
from headrace.bgp.events import Attributes, SessionKey
from headrace.bgp.frr.text import commands, read_neighbors, read_routes
from headrace.bgp.frr.vty import Vty, VtyRefusedError
from headrace.bgp.polled import RefusedError, Seen

SOCKETS = Path("/run/frr")


class FrrDaemon:
    """A bgpd in which `router bgp` of that AS is configured, with its neighbours."""

    def __init__(self, local_as: int, *, sockets: Path = SOCKETS) -> None:
        self._local_as = local_as
        self._vty = Vty(sockets / "bgpd.vty")

    def check(self, announcements: Iterable[Announcement]) -> None:
        """Accept everything: bgpd can be told all that an announcement has."""

    async def apply(self, announcements: list[Announcement]) -> None:
        """Say what differs from what it runs with. Raises RefusedError, BgpError."""
        running = await self._vty.ask("show running-config")
        said = commands(running, announcements, self._local_as)
        if not said:
            return
        try:
            for command in ["configure terminal", *said, "end"]:
                await self._vty.ask(command)
        except VtyRefusedError as error:
            raise RefusedError(f"FRR refuses the configuration: {error}") from None

    async def withdraw(self) -> None:
        """Take back everything that was announced from here. Raises BgpError."""
        await self.apply([])

    async def sessions(self) -> dict[SessionKey, Seen]:
        """Return how its sessions are. Raises BgpError."""
        try:
            return read_neighbors(await self._vty.ask("show bgp neighbors json"))
        except ValueError as error:
            raise BgpError(str(error)) from None

    async def received(self, session: SessionKey) -> Mapping[IPNetwork, Attributes]:
        """Return what a router announces. Raises BgpError."""
        family = f"ipv{session.family.value}"
        question = f"show bgp {family} unicast neighbors {session.peer} routes json"
        answer = await self._vty.ask(question)
        try:
            # Megabytes of text would hold up everything else.
            return await asyncio.to_thread(read_routes, answer)
        except ValueError as error:
            raise BgpError(str(error)) from None

    def disconnect(self) -> None:
        """Close the socket."""
        self._vty.close()
