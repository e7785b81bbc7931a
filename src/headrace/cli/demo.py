"""`headrace demo`: real video through an edge on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from headrace.lab.demo import Ports, run

DEFAULT_PORT = 8080
ORIGIN_PORT = 8000
ADMIN_PORT = 8081


def demo(
    *,
    listen: Annotated[str, typer.Option(help="Host to serve the player on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the player; 0: any free ports.")
    ] = DEFAULT_PORT,
) -> None:
    """Play real video through an edge on this machine.

    Starts an origin, an edge and a player page; Ctrl-C stops them.
    """
    everywhere_free = port == 0
    wanted = Ports(
        host=listen,
        edge=port,
        origin=0 if everywhere_free else ORIGIN_PORT,
        admin=0 if everywhere_free else ADMIN_PORT,
    )
    run(wanted, typer.echo)
