"""Questions to BIRD over its control socket, as birdc asks them."""

from __future__ import annotations

import asyncio
import re

from headrace.bgp.daemon_socket import DaemonSocket

FIRST_ERROR = 8000
_CODED = re.compile(rb"(\d{4})([ -])")


class Control(DaemonSocket[tuple[int, str]]):
    """A connection to BIRD. An answer is its last code, and its text."""

    daemon = "BIRD"
    answer_s = 10.0

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._answer(reader)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str
    ) -> tuple[int, str]:
        writer.write(command.encode() + b"\n")
        return await self._answer(reader)

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, str]:
        lines, size = [], 0
        while True:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                raise self._closed()
            size += len(line)
            self._bounded(size)
            coded = _CODED.match(line)
            text = line[5:] if coded else line[1:]
            lines.append(text.rstrip(b"\n").decode(errors="replace"))
            if coded and coded[2] == b" ":
                return int(coded[1]), "\n".join(lines)
