"""A drill's client as a process in its namespace: started with its orders, ended, read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile

import msgspec

from headrace.lab.drill.records import WAITS, Orders, Record
from headrace.lab.errors import LabError

STARTS_S = 60.0
ENDS_S = 30.0
_POLL_S = 0.02


class ClientProcess:
    """A client as a process in its namespace. What it saw comes in a file, so that it never waits
    for this process. Use as an asynchronous context manager: inside, it waits for its orders.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    async def __aenter__(self) -> ClientProcess:
        program = "headrace.lab.drill.client"
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headrace.lab.namespaces.inside", self._namespace),
            *(str(os.getpid()), sys.executable, "-m", program),
            stdin=asyncio.subprocess.PIPE,
            stdout=self._said,
        )
        try:
            async with asyncio.timeout(STARTS_S):
                while os.fstat(self._said.fileno()).st_size < len(WAITS):
                    if self._process.returncode is not None:
                        raise LabError("a client of the drill does not start")
                    await asyncio.sleep(_POLL_S)
        except BaseException as error:
            await self.__aexit__()
            if isinstance(error, TimeoutError):
                raise LabError("a client of the drill does not start") from None
            raise
        return self

    async def begin(self, orders: Orders) -> None:
        """Give it its orders."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(orders) + b"\n")
        await self._process.stdin.drain()

    async def __aexit__(self, *_error: object) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._said.close()

    async def end(self) -> Record:
        """Let it end, and return what it saw. Raises LabError."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = await asyncio.wait_for(self._process.wait(), ENDS_S)
        except TimeoutError:
            raise LabError("a client of the drill does not end") from None
        if code:
            raise LabError(f"a client of the drill ended with {code}")
        self._said.seek(len(WAITS))
        said = self._said.read()
        try:
            return msgspec.json.decode(said, type=Record)
        except msgspec.MsgspecError as error:
            raise LabError(f"a client of the drill wrote {len(said)} bytes: {error}") from None
