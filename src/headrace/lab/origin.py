"""The lab's origin: a small web server of the sample video, as its own process.

Validators, ranges and conditions are aiohttp's; what may be cached for how long is in `assets`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Mapping

import xxhash
from aiohttp import web

from headrace.lab.assets import LONG_PATH, MEDIA, Asset, catalogue, headers_for, long_bytes
from headrace.lab.lasting import lasting
from headrace.lab.manifests import PATHWAY, redirected, redirected_media, steered, steered_dash

_STOP_WITHIN_S = 2.0


def guided(router: str, servers: Mapping[str, str]) -> dict[str, bytes]:
    """Return the manifests, by path, for players that the router at this URL guides to `servers`,
    whose URLs are given by their names.
    """
    base = f"{router}/media/"
    pathways = {PATHWAY: base} | {name: f"{url}/media/" for name, url in servers.items()}
    master, dash = (MEDIA / "master.m3u8").read_text(), (MEDIA / "manifest.mpd").read_text()
    found = {
        "/media/steering.m3u8": steered(master, base, router, pathways),
        "/media/steering.mpd": steered_dash(dash, base, router, pathways),
        "/media/redirect.m3u8": redirected(master, base),
    }
    for file in sorted(MEDIA.glob("media_*.m3u8")):
        name = file.name.replace("media_", "redirect_")
        found[f"/media/{name}"] = redirected_media(file.read_text(), base)
    return {path: text.encode() for path, text in found.items()}


def application(
    served: Mapping[str, Asset], made: Mapping[str, bytes] | None = None
) -> web.Application:
    """Serve exactly these paths, files and what is `made`, so no path leads elsewhere."""
    made = made or {}

    async def answer(request: web.Request) -> web.StreamResponse:
        body = made.get(request.path) or lasting(request.path)
        if body is not None:
            headers = {
                **headers_for(request.path),
                "ETag": f'"{xxhash.xxh3_64_hexdigest(body)}"',
            }
            return web.Response(body=body, headers=headers)
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


async def serve(host: str, port: int, made: Mapping[str, bytes]) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        application(catalogue(), made), access_log=None, shutdown_timeout=_STOP_WITHIN_S
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Serve the sample: `python -m headrace.lab.origin --port N [--router URL]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--router", help="the URL of the router that guides players")
    parser.add_argument("--server", action="append", default=[], metavar="NAME=URL")
    arguments = parser.parse_args()
    servers = dict(pair.split("=", 1) for pair in arguments.server)
    made = guided(arguments.router, servers) if arguments.router else {}
    made[LONG_PATH] = long_bytes()
    asyncio.run(serve(arguments.host, arguments.port, made))


if __name__ == "__main__":
    main()
