"""`headrace vip withdraw`: what is left to say to BIRD or FRR when the process that did is gone."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.admin_client import run
from headrace.cli.role_file import load_for
from headrace.config.vip import VIP
from headrace.node.state_lock import StateLock

_COMMAND = "vip withdraw"
_IN_ORDER = "success"


def withdraw(
    *,
    config: Annotated[Path, typer.Option(metavar="FILE", help="What `headrace vip run` ran by.")],
) -> None:
    """Let BIRD or FRR announce nothing, where the process that checked is gone.

    For ExecStopPost in the unit, and by hand. After a stop in good order it does nothing, for that
    has left as it was configured to (systemd says so in $SERVICE_RESULT).
    """
    wanted = load_for(config, VIP)
    from headrace.vip.speak.made import daemon_of

    daemon = daemon_of(wanted)
    if daemon is None:
        typer.echo("ExaBGP ends with the process that started it: there is nothing to withdraw")
        return
    if os.environ.get("SERVICE_RESULT") == _IN_ORDER:
        typer.echo("it was stopped in good order, and has left as it was configured to")
        return

    async def say() -> None:
        lock = StateLock.take(wanted.state_dir, "vip") if wanted.state_dir.is_dir() else None
        try:
            await daemon.withdraw()
        finally:
            daemon.disconnect()
            if lock is not None:
                lock.release()

    run(_COMMAND, lambda: asyncio.run(say()))
    typer.echo(f"{wanted.speaker.kind} announces nothing from here any more")
