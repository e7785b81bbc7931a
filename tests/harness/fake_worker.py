"""A worker that serves nothing but speaks the control channel, for tests of the supervisor.

Its behaviour is steered by the config's `node_id` (so that it needs nothing else):
`refuse.<why>` refuses a reload, `fatal.<why>` gives up at the start, `crash` exits with 3 at the
start, `mute` never answers a question for its counts, `stuck` does not end when told to stop.
While the file that FAKE_WORKER_CRASH_IF names exists, every start is a `crash`.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from pathlib import Path

from headrace.node import messages
from headrace.node.channel import WorkerChannel
from headrace.node.listeners import open_listener
from headrace.telemetry.metrics import WorkerMetrics


class FakeWorker:
    """Answers every message; each TCP connection gets its worker number and server name."""

    def __init__(self) -> None:
        self.metrics = WorkerMetrics()
        self.done = asyncio.Event()
        self.exit_code = 0
        self.problem = os.environ.get("FAKE_WORKER_PROBLEM", "")
        self.number = -1
        self.name = ""
        self.draining = False
        self.prepared: messages.Prepare | None = None
        self.listeners: dict[str, socket.socket] = {}
        self.channel: WorkerChannel

    def received(self, message: messages.Message, descriptors: list[int]) -> None:
        match message:
            case messages.Configure():
                self.configure(message, descriptors)
            case messages.Prepare():
                self.prepare(message, descriptors)
            case messages.Commit(version=version):
                assert self.prepared is not None
                self.name = node_id(self.prepared.config)
                self.adopt(self.prepared, [])
                self.channel.send(messages.Committed(version))
            case messages.Abandon():
                self.prepared = None
            case messages.Drain():
                self.draining = True
            case messages.Undrain():
                self.draining = False
            case messages.ReopenLogs():
                self.metrics.purges += 1
            case messages.Check(number=number):
                if self.name != "mute":
                    self.channel.send(messages.Checked(number, self.problem))
            case messages.GetStats(number=number):
                if self.name != "mute":
                    self.channel.send(messages.Stats(number, self.metrics.snapshot()))
            case messages.Stop() if self.name != "stuck":
                self.channel.send(messages.Drained(self.metrics.snapshot()))
                self.done.set()

    def configure(self, message: messages.Configure, descriptors: list[int]) -> None:
        self.number = message.worker
        self.name = node_id(message.config)
        self.draining = message.draining
        if self.name.startswith("fatal."):
            self.channel.send(messages.Fatal(self.name.removeprefix("fatal.")))
            self.exit_code = 1
            self.done.set()
        elif self.name == "crash" or Path(os.environ.get("FAKE_WORKER_CRASH_IF", "")).is_file():
            os._exit(3)
        else:
            self.adopt(message, descriptors)
            self.channel.send(messages.Ready(os.getpid(), list(self.listeners)))

    def prepare(self, message: messages.Prepare, descriptors: list[int]) -> None:
        name = node_id(message.config)
        if name.startswith("refuse."):
            for descriptor in descriptors:
                os.close(descriptor)
            self.channel.send(messages.Refused(message.version, name.removeprefix("refuse.")))
            return
        self.prepared = message
        self.adopt(message, descriptors, keep_all=True)
        self.channel.send(messages.Prepared(message.version))

    def adopt(
        self,
        message: messages.Configure | messages.Prepare,
        descriptors: list[int],
        *,
        keep_all: bool = False,
    ) -> None:
        handed = iter(descriptors)
        for binding in message.bindings:
            descriptor = next(handed, None) if binding.host is None else None
            if binding.name in self.listeners:
                if descriptor is not None:
                    os.close(descriptor)
                continue
            sock = (
                open_listener(binding) if descriptor is None else socket.socket(fileno=descriptor)
            )
            self.listeners[binding.name] = sock
            asyncio.get_running_loop().add_reader(sock.fileno(), self.accept, sock)
        kept = {binding.name for binding in message.bindings}
        for address in [] if keep_all else set(self.listeners) - kept:
            sock = self.listeners.pop(address)
            asyncio.get_running_loop().remove_reader(sock.fileno())
            sock.close()

    def accept(self, listener: socket.socket) -> None:
        try:
            connection, _address = listener.accept()
        except BlockingIOError:
            return
        with connection:
            self.metrics.requests_hit += 1
            self.metrics.responses[2] += 1
            facts = {
                "worker": self.number,
                "pid": os.getpid(),
                "name": self.name,
                "draining": self.draining,
            }
            connection.sendall(json.dumps(facts).encode())


def node_id(config: str) -> str:
    return str(json.loads(config)["node_id"])


async def main() -> int:
    worker = FakeWorker()
    worker.channel = await WorkerChannel.connect(int(sys.argv[1]), worker.received, worker.done.set)
    await worker.done.wait()
    await asyncio.sleep(0)
    worker.channel.close()
    return worker.exit_code


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
