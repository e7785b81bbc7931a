"""The admin API's listener and routes: thin handlers over what the supervisor can do."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import structlog
from aiohttp import web

from headrace.config import Address, UnixAddress
from headrace.config.problems import ConfigError
from headrace.edge.admin.purging import Directory, plan_purge
from headrace.edge.admin.requests import ListRequest, parse_inspection, parse_listing, parse_purge
from headrace.edge.admin.store_admin import CursorError
from headrace.edge.admin.store_thread import StoreThread
from headrace.edge.admin.top import Looking
from headrace.errors import HeadraceError
from headrace.node.admin.auth import require_token
from headrace.node.admin.guard import keep_pages_out
from headrace.node.admin.held_connections import HeldConnection, Places, held, whole_body
from headrace.node.admin.live import Following
from headrace.node.admin.openapi import DOCUMENT
from headrace.node.admin.problem import ProblemError, problem_response, problems
from headrace.node.reload import RestartNeededError
from headrace.node.running import Workers
from headrace.telemetry.exposition import CONTENT_TYPE, ServerFacts, exposition
from headrace.telemetry.metrics import Snapshot
from headrace.telemetry.report import report

BODY_LIMIT_BYTES = 64 * 1024
CLOSE_TIMEOUT_S = 2.0

log = structlog.get_logger("headrace.admin")


class AdminError(HeadraceError):
    """The admin API cannot be opened."""


class Server(Protocol):
    """What the admin API may ask of the running server."""

    @property
    def store(self) -> StoreThread: ...

    @property
    def directory(self) -> Directory: ...

    @property
    def workers(self) -> Workers: ...

    def not_ready_because(self) -> str | None: ...

    async def readiness(self) -> str | None: ...

    async def totals(self) -> Snapshot: ...

    async def facts(self) -> ServerFacts: ...

    def drain(self) -> None: ...

    def undrain(self) -> None: ...

    async def reload(self) -> int: ...

    def purged(self) -> None: ...


class AdminServer:
    """The open listener. `url` says where: `http://127.0.0.1:9090` or `unix:/run/admin.sock`."""

    def __init__(
        self, runner: web.AppRunner, listener: asyncio.Server, url: str, path: Path | None
    ) -> None:
        self.url = url
        self._runner = runner
        self._listener = listener
        self._path = path

    @classmethod
    async def open(cls, address: Address, server: Server, token: str) -> Self:
        """Raise AdminError when the address cannot be listened on."""
        app = admin_app(server, token, unix=isinstance(address, UnixAddress))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
        await runner.setup()
        manager, loop, places = runner.server, asyncio.get_running_loop(), Places()
        assert manager is not None

        def connection() -> HeldConnection:
            return HeldConnection(manager, loop, places)

        try:
            if isinstance(address, UnixAddress):
                former_mask = os.umask(0o177)
                try:
                    listener = await loop.create_unix_server(connection, str(address.path))
                finally:
                    os.umask(former_mask)
                return cls(runner, listener, str(address), address.path)
            listener = await loop.create_server(connection, address.host, address.port)
        except OSError as error:
            await runner.cleanup()
            raise AdminError(
                f"the admin API cannot listen on {address}: {error.strerror or error}; choose "
                "another admin.listen, or stop the process that uses it"
            ) from error
        port = listener.sockets[0].getsockname()[1]
        host = f"[{address.host}]" if address.is_v6 else address.host
        return cls(runner, listener, f"http://{host}:{port}", None)

    async def close(self) -> None:
        """Stop listening; requests that run get a moment to end."""
        self._listener.close()
        await self._runner.cleanup()
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()


def admin_app(server: Server, token: str, *, unix: bool = False) -> web.Application:
    """The routes, behind problem details, the page guard and the token, in this order."""
    app = web.Application(
        client_max_size=BODY_LIMIT_BYTES,
        middlewares=[held, problems, keep_pages_out(unix=unix), require_token(token), whole_body],
    )
    app.on_response_prepare.append(_add_fields)
    routes, looking = Routes(server), Looking(server)
    app.add_routes(
        [
            web.get("/live", routes.live),
            web.get("/ready", routes.ready),
            web.get("/metrics", routes.metrics),
            web.get("/stats", routes.stats),
            web.post("/purge", routes.purge),
            web.post("/drain", routes.drain),
            web.post("/undrain", routes.undrain),
            web.post("/reload", routes.reload),
            web.get("/objects", routes.objects),
            web.get("/objects/inspect", routes.inspect),
            web.get("/log", Following(server).log),
            web.get("/top", looking.top),
            web.get("/connections", looking.connections),
            web.get("/reasons", looking.reasons),
            web.get("/purges", looking.purges),
            web.get("/openapi.json", routes.openapi),
        ]
    )
    return app


async def _add_fields(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "headrace"
    response.headers["Cache-Control"] = "no-store"


class Routes:
    """One method for each route."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(self, _request: web.Request) -> web.Response:
        reason = await self._server.readiness()
        if reason is not None:
            return problem_response(503, reason)
        return web.json_response({"status": "ready"})

    async def metrics(self, _request: web.Request) -> web.Response:
        totals, facts = await asyncio.gather(self._server.totals(), self._server.facts())
        return web.Response(body=exposition(totals, facts), headers={"Content-Type": CONTENT_TYPE})

    async def stats(self, _request: web.Request) -> web.Response:
        totals, facts = await asyncio.gather(self._server.totals(), self._server.facts())
        return web.json_response(report(totals, facts))

    async def purge(self, request: web.Request) -> web.Response:
        asked = parse_purge(await request.read())
        plan = plan_purge(asked, self._server.directory)
        store = self._server.store
        generations = [await store.purge(one) for one in plan]
        self._server.purged()
        services = sorted({one.service for one in plan if one.service is not None})
        log.info("purge", kind=asked.kind, soft=asked.soft, services=services, rules=len(plan))
        return web.json_response(
            {
                "generation": max(generations),
                "rules": len(plan),
                "services": services,
                "soft": asked.soft,
            }
        )

    async def drain(self, _request: web.Request) -> web.Response:
        self._server.drain()
        return web.json_response({"status": "draining"})

    async def undrain(self, _request: web.Request) -> web.Response:
        self._server.undrain()
        return web.json_response({"status": self._server.not_ready_because() or "ready"})

    async def reload(self, _request: web.Request) -> web.Response:
        try:
            version = await self._server.reload()
        except ConfigError as error:
            return problem_response(422, str(error), more={"errors": config_errors(error)})
        except RestartNeededError as error:
            return problem_response(409, str(error), more={"errors": [{"message": str(error)}]})
        except HeadraceError as error:
            return problem_response(422, str(error), more={"errors": [{"message": str(error)}]})
        return web.json_response({"status": "reloaded", "version": version})

    async def objects(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(await self._page(parse_listing(request.query)))
        except CursorError as error:
            raise ProblemError(422, str(error), field="cursor") from error

    async def _page(self, asked: ListRequest) -> dict[str, Any]:
        prefixes = [b""]
        if asked.prefix is not None:
            found = self._server.directory.prefixes(asked.prefix, service=None, field="prefix")
            prefixes = [prefix for _name, prefix in found]
        at, cursor = place_of(asked.cursor, len(prefixes))
        found_objects: list[dict[str, Any]] = []
        following: str | None = None
        for number in range(at, len(prefixes)):
            page = await self._server.store.listing(
                prefixes[number], asked.limit - len(found_objects), cursor
            )
            cursor = None
            found_objects += page.objects
            if page.cursor is not None:
                following = f"{number}.{page.cursor}"
                break
            if len(found_objects) >= asked.limit and number + 1 < len(prefixes):
                following = f"{number + 1}."
                break
        return {"objects": found_objects, "cursor": following}

    async def inspect(self, request: web.Request) -> web.Response:
        url = parse_inspection(request.query)
        keys = self._server.directory.keys(url, service=None, field="url")
        variants = []
        for name, key in keys:
            for variant in await self._server.store.inspect(key):
                variants.append({"service": name, **variant})
        if not variants:
            raise ProblemError(404, f"nothing is stored for {url}", field="url")
        return web.json_response({"url": url, "variants": variants})

    async def openapi(self, _request: web.Request) -> web.Response:
        return web.json_response(DOCUMENT)


def place_of(cursor: str | None, prefixes: int) -> tuple[int, str | None]:
    """A cursor's two parts: which prefix of the listing, and where in it. Raises ProblemError."""
    if cursor is None:
        return 0, None
    number, dot, rest = cursor.partition(".")
    good = number.isascii() and number.isdigit() and len(number) < 6 and bool(dot)
    if not good or int(number) >= prefixes:
        raise ProblemError(
            422, "this cursor is not from a listing with the same prefix", field="cursor"
        )
    return int(number), rest or None


def config_errors(error: ConfigError) -> list[Mapping[str, str]]:
    """A config's problems, one object each, for the answer to a reload."""
    return [
        {
            "path": ".".join(str(part) for part in problem.path),
            "message": problem.message,
            "remedy": problem.remedy,
        }
        for problem in error.problems
    ]
