"""A worker that does what it is told, for tests of the fork server."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import socket
from dataclasses import dataclass

from headrace.node.fork_server import ForkServer, begin_fork_server
from headrace.node.forks import ForkedProcess

PATIENCE_S = 30.0


def begun() -> ForkServer:
    """Return a server of such workers."""
    server = begin_fork_server("tests.harness.forked")
    assert server is not None
    return server


def serve(descriptor: int) -> int:
    """Do what the lines on the channel say."""
    with socket.socket(fileno=descriptor) as channel, channel.makefile("r") as lines:
        for line in lines:
            match line.split():
                case ["exit", code]:
                    return int(code)
                case ["raise"]:
                    raise RuntimeError("a worker's own mistake")
                case ["pid"]:
                    said = str(os.getpid())
                case ["limit"]:
                    said = str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
                case ["random"]:
                    said = str(random.getrandbits(64))
                case ["descriptors"]:
                    said = str(len(os.listdir("/proc/self/fd")))
                case _:
                    said = "?"
            channel.sendall(f"{said}\n".encode())
    return 0


@dataclass(frozen=True, slots=True)
class Forked:
    """A worker, and this side of its channel."""

    process: ForkedProcess
    channel: socket.socket

    async def say(self, line: str) -> None:
        """Tell it something."""
        await asyncio.get_running_loop().sock_sendall(self.channel, f"{line}\n".encode())

    async def ask(self, line: str) -> str:
        """Return its answer."""
        await self.say(line)
        async with asyncio.timeout(PATIENCE_S):
            answer = await asyncio.get_running_loop().sock_recv(self.channel, 1000)
        return answer.decode().strip()
