"""Run a real supervisor over fake workers and a fake store: `python -m … edge.toml`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from headrace.config import Config
from headrace.config.loader import load_config
from headrace.edge.role import EdgeRole
from headrace.node.supervisor import Supervisor
from headrace.telemetry.logs import configure_logging
from tests.harness.fake_store import open_fake_store


def main(argument: str) -> int:
    return asyncio.run(supervised(Path(argument)))


async def supervised(path: Path) -> int:
    configure_logging()
    role = EdgeRole(
        worker_command=(sys.executable, "-m", "tests.harness.fake_worker"),
        store_opener=open_fake_store,
    )

    def load() -> Config:
        return load_config(path, role.root)

    return await Supervisor(role, load(), load).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
