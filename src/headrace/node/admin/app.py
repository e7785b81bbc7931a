"""The admin API's listener, and the application that carries out a table of operations."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Self, cast

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from headrace.config.addresses import Address, UnixAddress
from headrace.errors import HeadraceError
from headrace.node.admin.auth import require_token
from headrace.node.admin.every_role import every_role
from headrace.node.admin.guard import keep_pages_out
from headrace.node.admin.held_connections import HeldConnection, Places, held, whole_body
from headrace.node.admin.openapi import document
from headrace.node.admin.operations import Media, NoRequest, Operation, Operations
from headrace.node.admin.problem import as_json
from headrace.node.admin.problem_responses import problems
from headrace.node.admin.requests import read_body, read_query
from headrace.node.running import Node

BODY_LIMIT_BYTES = 64 * 1024
CLOSE_TIMEOUT_S = 2.0
WRITE_TIMEOUT_S = 30.0


class AdminError(HeadraceError):
    """The admin API cannot be opened."""


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
    async def open(
        cls,
        address: Address,
        node: Node,
        token: str,
        own_operations: Operations = (),
        report_token: str | None = None,
    ) -> Self:
        """Listen, and carry out what every role can do and `own_operations`. `report_token` is for
        reports alone.

        Raises AdminError when the address cannot be listened on.
        """
        operations = all_operations(node, own_operations)
        unix = isinstance(address, UnixAddress)
        app = admin_app(operations, token, unix=unix, report_token=report_token)
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


def all_operations(node: Node, own_operations: Operations) -> Operations:
    """Return every operation of an admin API, its own description among them."""

    async def openapi(_asked: NoRequest) -> bytes:
        return as_json(document(operations))

    operations: Operations = (
        *every_role(node),
        *own_operations,
        Operation(
            "GET",
            "/openapi.json",
            "This description.",
            openapi,
            Media("application/json"),
            "OpenAPI 3.1.",
        ),
    )
    return operations


def admin_app(
    operations: Operations, token: str, *, unix: bool = False, report_token: str | None = None
) -> web.Application:
    """Return the routes, behind problem details, the page guard and the token, in this order."""
    open_paths = frozenset(one.path for one in operations if not one.needs_token)
    report_paths = frozenset(one.path for one in operations if one.for_reports)
    app = web.Application(
        client_max_size=BODY_LIMIT_BYTES,
        middlewares=[
            held,
            problems,
            keep_pages_out(open_paths, unix=unix),
            require_token(token, open_paths, report_token, report_paths),
            whole_body,
        ],
    )
    app.on_response_prepare.append(_add_fields)
    for operation in operations:
        route = web.get if operation.method == "GET" else web.post
        app.add_routes([route(operation.path, _route(operation))])
    return app


async def _add_fields(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "headrace"
    response.headers["Cache-Control"] = "no-store"


def _route(operation: Operation) -> Handler:
    """Return the handler that reads the request, has it carried out and writes the response."""

    async def carry_out(request: web.Request) -> web.StreamResponse:
        asked: msgspec.Struct
        if operation.takes_body:
            asked = read_body(operation.request, await request.read())
        elif operation.request is not NoRequest:
            asked = read_query(operation.request, request.query)
        else:
            asked = NoRequest()
        result = await operation.handler(asked)
        media = operation.response
        if not isinstance(media, Media):
            return web.Response(
                body=as_json(result), content_type="application/json", charset="utf-8"
            )
        headers = {"Content-Type": media.media_type}
        if isinstance(result, bytes):
            return web.Response(body=result, headers=headers)
        return await _streamed(request, cast(AsyncGenerator[bytes, None], result), headers)

    return carry_out


async def _streamed(
    request: web.Request, parts: AsyncGenerator[bytes, None], headers: dict[str, str]
) -> web.StreamResponse:
    """Send what comes, for as long as the client takes it."""
    async with contextlib.aclosing(parts):
        first = await anext(parts, b"")
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        with contextlib.suppress(TimeoutError, ConnectionError):
            await _write(response, first)
            async for part in parts:
                if request.transport is None or request.transport.is_closing():
                    break
                await _write(response, part)
    return response


async def _write(response: web.StreamResponse, part: bytes) -> None:
    async with asyncio.timeout(WRITE_TIMEOUT_S):
        await response.write(part)
