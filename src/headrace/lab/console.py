"""The demo's page: the player and the map, what they show, and the buttons that break things.

Only for the person before it: it answers under its own host alone (a page elsewhere could else
reach it through a name of its own), and its buttons want a field that no other page can send.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from headrace.lab.assets import Asset, page_headers
from headrace.lab.errors import LabError
from headrace.lab.plan import SITES, Plan
from headrace.lab.programs import Program
from headrace.lab.watcher import Watcher

BUTTON_FIELD = "X-Headrace-Demo"


class Buttons(Protocol):
    """What the page may have done."""

    async def stop(self, names: Sequence[str]) -> None:
        """Kill programs."""
        ...

    async def start(self, names: Sequence[str]) -> None:
        """Start them again. Raises LabError."""
        ...


def application(
    plan: Plan,
    programs: Mapping[str, Program],
    watcher: Watcher,
    buttons: Buttons,
    served: Mapping[str, Asset],
) -> web.Application:
    """Return the page's server."""
    headers = page_headers(
        [router.place.url for router in plan.routers]
        + [server.place.url for server in plan.servers]
    )

    async def asset(request: web.Request) -> web.StreamResponse:
        found = served.get(request.path)
        if found is None:
            return web.Response(status=404, text="not found\n")
        return web.FileResponse(found.path, headers={**found.headers, **headers})

    async def state(_request: web.Request) -> web.Response:
        return web.json_response(state_of(plan, programs, watcher), headers=headers)

    def button(press: Callable[[Sequence[str]], Awaitable[None]]) -> Callable[..., Any]:
        async def pressed(request: web.Request) -> web.Response:
            if request.headers.get(BUTTON_FIELD) != "1":
                return web.Response(status=403, text=f"the field {BUTTON_FIELD} is missing\n")
            names = names_of(request.match_info["name"], programs)
            if not names:
                return web.Response(status=404, text="there is no such program or site\n")
            try:
                await press(names)
            except LabError as error:
                return web.Response(status=503, text=f"{error}\n")
            return web.json_response(state_of(plan, programs, watcher), headers=headers)

        return pressed

    app = web.Application(middlewares=[_own_host_only(plan)])
    app.router.add_get("/api/state", state)
    app.router.add_post("/api/stop/{name}", button(buttons.stop))
    app.router.add_post("/api/start/{name}", button(buttons.start))
    app.router.add_get("/{path:.*}", asset)
    return app


def _own_host_only(plan: Plan) -> Any:
    own = {str(plan.page), f"localhost:{plan.page.port}"}

    @web.middleware
    async def check(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Host", "") not in own:
            return web.Response(status=421, text=f"this is the page of {plan.page}\n")
        response: web.StreamResponse = await handler(request)
        return response

    return check


def names_of(name: str, programs: Mapping[str, Program]) -> tuple[str, ...]:
    """Return the programs of that name, or of the site of that name."""
    if name in SITES:
        return SITES[name]
    return (name,) if name in programs else ()


def state_of(plan: Plan, programs: Mapping[str, Program], watcher: Watcher) -> dict[str, Any]:
    """Return what the page shows."""
    return {
        "router": plan.router.url,
        "routers": [
            {"name": router.name, "url": router.place.url, "runs": programs[router.name].runs}
            for router in plan.routers
        ],
        "sites": [
            {
                "name": site,
                "servers": [
                    {
                        "name": server.name,
                        "url": server.place.url,
                        "runs": programs[server.name].runs,
                        "usable": not watcher.seen[server.name].failed,
                        "requests": watcher.seen[server.name].requests,
                    }
                    for server in plan.servers
                    if server.site == site
                ],
            }
            for site in SITES
        ],
        "origins": [
            {"name": name, "url": place.url, "runs": programs[name].runs}
            for name, place in plan.origins.items()
        ],
        "changes": watcher.changes,
    }
