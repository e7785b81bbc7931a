"""What keeps web pages away from the admin API: checks of Host, Origin and Content-Type.

A browser can be led to send requests to a loopback address (by a form, or by a name that turns
to it: DNS rebinding). The token already stops those; this stops them before anything is read.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

from headrace.node.admin.problem import ProblemError
from headrace.node.admin.problem_responses import Handler


def own_names() -> frozenset[str]:
    """Return the names by which this machine may be asked: its host name, short and in full."""
    name = socket.gethostname().lower()
    return frozenset({"localhost", name, name.partition(".")[0]})


def host_allowed(host: str | None, names: Collection[str]) -> bool:
    """Return whether a Host field cannot come from DNS rebinding.

    It is an IP address, or one of `names`.
    """
    if not host:
        return False
    if host.startswith("["):
        name = host[1:].partition("]")[0]
    else:
        name = host.partition(":")[0]
    if name.lower().rstrip(".") in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def from_elsewhere(origin: str | None, fetch_site: str | None, host: str | None) -> bool:
    """Return whether a browser says that another site's page made this request."""
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        return True
    return origin is not None and origin not in {f"http://{host}", f"https://{host}"}


def is_json(content_type: str) -> bool:
    """Return whether a media type (without parameters) is JSON."""
    return content_type == "application/json"


def keep_pages_out(open_paths: Collection[str], *, unix: bool) -> Middleware:
    """Return a middleware that refuses what a web page may have caused.

    A Unix socket and `open_paths` take any Host.
    """
    names = own_names()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host")
        if from_elsewhere(
            request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site"), host
        ):
            raise ProblemError(403, "web pages of other origins may not use the admin API")
        if not unix and request.path not in open_paths and not host_allowed(host, names):
            known = ", ".join(sorted(names))
            raise ProblemError(
                403, f"the Host field must be an IP address or one of {known} (DNS rebinding)"
            )
        if "Content-Encoding" in request.headers:
            # A small body could be a large one, and needs no token yet.
            raise ProblemError(415, "send the body as it is, without Content-Encoding")
        if request.can_read_body and not is_json(request.content_type):
            raise ProblemError(415, "send the body as Content-Type: application/json")
        return await handler(request)

    return check
