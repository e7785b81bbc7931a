"""A role as small as one can be: it says hello. `python -m tests.harness.toy_role toy.toml`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from headrace.config.base import FilePath
from headrace.config.loader import load_config
from headrace.config.node import NodeConfig
from headrace.config.root import Root
from headrace.http.parser import BadRequest
from headrace.http.server.exchange import Exchange, Handler
from headrace.node.fork_server import begin_fork_server
from headrace.node.role import AtCommit, Change, Role, WorkerRole
from headrace.node.run import run
from headrace.node.worker import run_worker
from headrace.telemetry.metrics import Snapshot, WorkerMetrics
from headrace.topology.snapshot import NetworkSnapshot
from headrace.topology.view import View


class ToyConfig(NodeConfig):
    """What the toy needs to know."""

    greeting: str
    directory: FilePath

    @property
    def state_dir(self) -> Path:
        return self.directory


class ToyRole(Role[ToyConfig]):
    """The toy in the supervisor."""

    name = "toy"
    root = Root(ToyConfig)
    worker_command = (sys.executable, "-m", "tests.harness.toy_role", "worker")


class ToyWorker(WorkerRole[ToyConfig]):
    """The toy in a worker: it answers every request by itself."""

    model = ToyConfig
    network = ""

    def open(self, config: ToyConfig, loop: asyncio.AbstractEventLoop) -> Handler:
        self.config = config
        self.metrics = WorkerMetrics()
        return self

    def prepare(self, config: ToyConfig) -> Change:
        return AtCommit(lambda: setattr(self, "config", config))

    def adopt_network(self, network: NetworkSnapshot, view: View) -> None:
        failed = [name for name, one in view.servers.items() if one.state.value == "failed"]
        self.network = (
            f" in {network.version} of {len(network.topology.servers)}, view {view.version}"
            f" without {len(failed)}"
        )

    def snapshot(self) -> Snapshot:
        return self.metrics.snapshot()

    def handle(self, exchange: Exchange) -> None:
        self.say(exchange, 200, f"{self.config.greeting} from {self.config.node_id}{self.network}")

    def refused(self, exchange: Exchange, error: BadRequest) -> None:
        self.say(exchange, error.status, str(error))

    def say(self, exchange: Exchange, status: int, text: str) -> None:
        exchange.start(status, [(b"content-type", b"text/plain")], len(text))
        exchange.queue(memoryview(text.encode()))
        exchange.finish()

    def finished(self, exchange: Exchange, ended: str) -> None:
        self.metrics.responses[exchange.status // 100] += 1

    def event(self, kind: str, reason: str) -> None:
        pass

    def connections_changed(self, opened: int, closed: int) -> None:
        self.metrics.connections_open += opened - closed


def serve(descriptor: int) -> int:
    return run_worker(ToyWorker, descriptor)


def main(argument: str) -> int:
    if argument == "worker":
        return serve(int(sys.argv[-1]))
    forks = begin_fork_server("tests.harness.toy_role")
    role, path = ToyRole(), Path(argument)
    return run(role, load_config(path, role.root), path, forks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
