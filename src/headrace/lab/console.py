"""The demo's page: the player and the map, what they show, and the buttons that break things.

Only for the person before it: it answers under its own host alone (a page elsewhere could else
reach it through a name of its own), and its buttons want a field that no other page can send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from headrace.lab.assets import Asset, page_headers
from headrace.lab.crowd import Crowd
from headrace.lab.errors import LabError
from headrace.lab.observed import Observed
from headrace.lab.picture import names_of, state_of
from headrace.lab.plan import Plan
from headrace.lab.programs import Program

BUTTON_FIELD = "X-Headrace-Demo"
Press = Callable[[str], Awaitable[None]]


class Buttons(Protocol):
    """What the page may have done."""

    async def stop(self, names: Sequence[str]) -> None:
        """Kill programs."""
        ...

    async def start(self, names: Sequence[str]) -> None:
        """Start them again. Raises LabError."""
        ...


class Console:
    """The page's server. What it answers is of its plan, programs, observers and crowd."""

    def __init__(
        self,
        plan: Plan,
        programs: Mapping[str, Program],
        observed: Observed,
        crowd: Crowd,
        buttons: Buttons,
    ) -> None:
        self._plan = plan
        self._programs = programs
        self._observed = observed
        self._crowd = crowd
        self._buttons = buttons
        servers = (server.place.url for server in plan.servers)
        self._headers = page_headers(
            [*(router.place.url for router in plan.routers), *servers, plan.cloud.url]
        )

    def application(self, served: Mapping[str, Asset]) -> web.Application:
        """Return it as an application that serves these files."""

        async def asset(request: web.Request) -> web.StreamResponse:
            found = served.get(request.path)
            if found is None:
                return web.Response(status=404, text="not found\n")
            return web.FileResponse(found.path, headers={**found.headers, **self._headers})

        app = web.Application(middlewares=[_own_host_only(self._plan)])
        app.router.add_get("/api/state", self._state)
        app.router.add_get("/api/why/{name}", self._why)
        for path, press in (
            ("stop/{what}", self._stop),
            ("start/{what}", self._start),
            ("viewers/{what}", self._viewers),
            ("automation/{what}", self._automation),
        ):
            app.router.add_post(f"/api/{path}", self._button(press))
        app.router.add_get("/{path:.*}", asset)
        return app

    def _picture(self) -> web.Response:
        now_s = asyncio.get_running_loop().time()
        found = state_of(self._plan, self._programs, self._observed, self._crowd, now_s)
        return web.json_response(found, headers=self._headers)

    async def _state(self, _request: web.Request) -> web.Response:
        return self._picture()

    async def _why(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if self._observed.server(name) is None and self._observed.site(name) is None:
            return web.Response(status=404, text="there is no such server or site\n")
        try:
            lines = await self._observed.why(name)
        except LabError as error:
            return web.Response(status=503, text=f"{error}\n")
        return web.json_response({"lines": lines}, headers=self._headers)

    def _button(self, press: Press) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def pressed(request: web.Request) -> web.Response:
            if request.headers.get(BUTTON_FIELD) != "1":
                return web.Response(status=403, text=f"the field {BUTTON_FIELD} is missing\n")
            try:
                await press(request.match_info["what"])
            except KeyError:
                return web.Response(status=404, text="there is no such button\n")
            except LabError as error:
                return web.Response(status=503, text=f"{error}\n")
            return self._picture()

        return pressed

    async def _stop(self, name: str) -> None:
        await self._buttons.stop(names_of(name, self._programs))

    async def _start(self, name: str) -> None:
        await self._buttons.start(names_of(name, self._programs))

    async def _viewers(self, number: str) -> None:
        if not (number.isascii() and number.isdigit() and len(number) < 6):
            raise KeyError(number)
        self._crowd.want(int(number))

    async def _automation(self, word: str) -> None:
        await self._observed.freeze(frozen={"freeze": True, "thaw": False}[word])


def _own_host_only(plan: Plan) -> Any:
    own = {str(plan.page), f"localhost:{plan.page.port}"}

    @web.middleware
    async def check(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Host", "") not in own:
            return web.Response(status=421, text=f"this is the page of {plan.page}\n")
        response: web.StreamResponse = await handler(request)
        return response

    return check
