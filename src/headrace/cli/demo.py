"""`headrace demo`: a network on this machine, with real video."""

from __future__ import annotations

from typing import Annotated

import typer

from headrace.lab.demo import run
from headrace.lab.plan import LOOPBACK, PAGE_PORT


def demo(
    *,
    listen: Annotated[
        str,
        typer.Option(
            help="Host to serve on, also the servers and the router: then others can play too."
        ),
    ] = LOOPBACK,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page; 0: any free ports.")
    ] = PAGE_PORT,
    routers: Annotated[
        int, typer.Option(min=1, max=2, help="Routers: with two, one can be killed too.")
    ] = 1,
) -> None:
    """Play real video through a network on this machine, and break it.

    Starts two sites of two servers, a site behind them, two origins, a router, two observers that
    keep it healthy and balanced, and a page that shows them; Ctrl-C stops all of it.
    """
    run(listen, port, routers, typer.echo)
