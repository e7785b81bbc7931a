"""`headrace router`: run the request router from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.own_process import begin_workers
from headrace.cli.role_file import RoleName, load_for
from headrace.config.router import ROUTER


def router(
    *,
    config: Annotated[Path, typer.Option(metavar="FILE", help="Configuration file.")],
) -> None:
    """Run the request router until a signal stops it."""
    forks = begin_workers(RoleName.ROUTER)
    wanted = load_for(config, ROUTER)
    from headrace.node.run import run
    from headrace.router.role import RouterRole

    raise typer.Exit(run(RouterRole(), wanted, config, forks))
