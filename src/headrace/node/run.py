"""Run a node in this process: its supervisor, until it is stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

from headrace.config.loader import load_config
from headrace.node.fork_server import ForkServer
from headrace.node.role import ConfigT, Role
from headrace.node.supervisor import Supervisor
from headrace.telemetry.logs import configure_logging


def run(
    role: Role[ConfigT],
    config: ConfigT,
    config_path: Path | None,
    forks: ForkServer | None = None,
) -> int:
    """Serve by `config` until it is stopped; return the process's exit code.

    Workers come from `forks`, which ends with this; without it each is started by its command.

    A reload reads `config_path` again; without one it reads only the certificates again. The code
    is 0 after a stop, 2 when the configuration cannot work here, 1 for any other failed start.
    """
    configure_logging(config.log_level)

    def reread() -> ConfigT:
        return config if config_path is None else load_config(config_path, role.root)

    async def serve() -> int:
        return await Supervisor(role, config, reread, forks).run()

    return asyncio.run(serve())
