"""The lab's origin: a small web server of the sample video and the player, as its own process.

Validators, ranges and conditions are aiohttp's; what may be cached for how long is in `assets`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Mapping

from aiohttp import web

from headrace.lab.assets import Asset, catalogue

_STOP_WITHIN_S = 2.0


def application(served: Mapping[str, Asset]) -> web.Application:
    """Serves exactly these paths, so no path leads elsewhere."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asset = served.get(request.path)
        if asset is None:
            return web.Response(status=404, text="not found\n")
        return web.FileResponse(asset.path, headers=asset.headers)

    async def allow(_request: web.Request) -> web.Response:
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
                "Access-Control-Allow-Headers": "Range",
                "Access-Control-Max-Age": "600",
            },
        )

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    app.router.add_options("/{path:.*}", allow)
    return app


async def serve(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        application(catalogue()), access_log=None, shutdown_timeout=_STOP_WITHIN_S
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Serve the sample: `python -m headrace.lab.origin --port N`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.port))


if __name__ == "__main__":
    main()
