"""Where a candidate is found: its base URL, to which a path and a query are added. Pure.

Nothing that a client sends gets into it: it is a server's or an external site's own.
"""

from __future__ import annotations

from headrace.http.hosts import DEFAULT_PORTS
from headrace.routing.question import Candidate
from headrace.topology.classify import server_name
from headrace.topology.model import ContentClass, Server


def base_url(candidate: Candidate, content: ContentClass, *, secure: bool) -> str | None:
    """Return where a client finds a candidate, without a final slash.

    A client with TLS is never sent elsewhere without; None where that cannot be.
    """
    server = candidate.server
    if server is None:
        base = candidate.site.base_url.rstrip("/")
        return base if base.startswith("https://") or not secure else None
    if secure or server.http_port is None:
        scheme, port = "https", server.https_port
    else:
        scheme, port = "http", server.http_port
    if port is None:
        return None
    return f"{scheme}://{authority(server, content, scheme, port)}"


def authority(server: Server, content: ContentClass, scheme: str, port: int) -> str:
    """Return the host by which a class is asked for at a server, with a port that needs saying."""
    host = server_name(content, server)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return host if port == DEFAULT_PORTS[scheme] else f"{host}:{port}"
