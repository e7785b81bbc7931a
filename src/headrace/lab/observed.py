"""What the observers say of the demo's network, and what its servers count: for the page.

Whichever observer answers is asked, the first of the list first. When none does, what was said last
stays, and `status_age_s` grows, as for the nodes that go by the last view.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from headrace.feedback.admin.models import ServerRow, SiteRow, Status
from headrace.lab.errors import LabError
from headrace.lab.plan import CLOUD, Plan, PlannedServer

EVERY_S = 0.5
ANSWER_WITHIN_S = 0.4
CHART_S = 120.0
EVENTS = 40
_status = msgspec.json.Decoder(Status)


class Observed:
    """Asks observers and servers twice a second. `cloud_bps` says what came from the CDN that
    nobody observes.
    """

    def __init__(self, plan: Plan, token: str, cloud_bps: Callable[[], float]) -> None:
        self.status: Status | None = None
        self.status_at_s = 0.0
        self.events: list[str] = []
        self.requests: dict[str, dict[str, float]] = {one.name: {} for one in plan.servers}
        self.chart: deque[tuple[float, dict[str, float]]] = deque(maxlen=round(CHART_S / EVERY_S))
        self._plan = plan
        self._cloud_bps = cloud_bps
        self._headers = {"Authorization": f"Bearer {token}"}

    async def run(self) -> None:
        """Ask until cancelled."""
        loop = asyncio.get_running_loop()
        timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._headers) as session:
            while True:
                await asyncio.gather(
                    self._ask_observers(session),
                    *(self._ask_server(session, server) for server in self._plan.servers),
                )
                self.chart.append((loop.time(), self._loads()))
                await asyncio.sleep(EVERY_S)

    async def freeze(self, *, frozen: bool) -> None:
        """Have the view stay as it is, or follow the network again. Raises LabError."""
        order = {"frozen": frozen, "reason": "the demo's page", "by": "demo"}
        async with aiohttp.ClientSession(headers=self._headers) as session:
            for observer in self._plan.observers:
                url = f"{observer.admin.url}/feedback/freeze"
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.post(url, json=order) as response:
                        if response.status == 200:
                            await self._ask_observers(session)
                            return
        raise LabError("no observer answers")

    async def why(self, name: str) -> list[str]:
        """Return the reasons of a server or a site, a sentence each. Raises LabError."""
        async with aiohttp.ClientSession(headers=self._headers) as session:
            for observer in self._plan.observers:
                url = f"{observer.admin.url}/feedback/why"
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, KeyError):
                    async with session.get(url, params={"name": name}) as response:
                        if response.status == 200:
                            lines: list[str] = (await response.json())["lines"]
                            return lines
        raise LabError("no observer answers")

    def server(self, name: str) -> ServerRow | None:
        """Return what was said of a server."""
        rows = () if self.status is None else self.status.servers
        return next((row for row in rows if row.server == name), None)

    def site(self, name: str) -> SiteRow | None:
        """Return what was said of a site."""
        rows = () if self.status is None else self.status.sites
        return next((row for row in rows if row.site == name), None)

    def _loads(self) -> dict[str, float]:
        """Return what each site sends, as it reports; the CDN's as it arrived."""
        rows = () if self.status is None else self.status.sites
        found = {row.site: row.egress_bps for row in rows if row.egress_bps is not None}
        found[CLOUD] = self._cloud_bps()
        return found

    async def _ask_observers(self, session: aiohttp.ClientSession) -> None:
        for observer in self._plan.observers:
            url = f"{observer.admin.url}/feedback"
            with contextlib.suppress(
                aiohttp.ClientError, TimeoutError, msgspec.DecodeError, ValueError
            ):
                async with session.get(f"{url}/status") as response:
                    if response.status != 200:
                        continue
                    status = _status.decode(await response.read())
                async with session.get(f"{url}/history", params={"limit": EVENTS}) as response:
                    events = (await response.text()).splitlines() if response.ok else []
                self.status, self.status_at_s = status, asyncio.get_running_loop().time()
                self.events = [said_of(msgspec.json.decode(line)) for line in events]
                return

    async def _ask_server(self, session: aiohttp.ClientSession, server: PlannedServer) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            async with session.get(f"{server.admin.url}/stats") as response:
                if response.status == 200:
                    self.requests[server.name] = (await response.json())["counts"]["requests"]


def said_of(event: Mapping[str, Any]) -> str:
    """Return an event of the history in words."""
    if "alarm" in event:
        word = "alarm" if event.get("raised") else "no longer"
        return f"{word}: {event.get('text', event['alarm'])}"
    reasons = ", ".join(event.get("reasons", ()))
    words = f"{event.get('server', '?')}: {event.get('before', '?')} → {event.get('after', '?')}"
    return f"{words}: {reasons}" if reasons else words
