"""Questions to BIRD over its control socket, as birdc asks them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from headrace.bgp.errors import BgpError, TooMuchError

ANSWER_BYTES = 16 << 20
LINE_BYTES = 64 * 1024
ANSWER_S = 10.0
FIRST_ERROR = 8000
_CODED = re.compile(rb"(\d{4})([ -])")


class Control:
    """A connection to BIRD. Questions are asked one after the other."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, command: str) -> tuple[int, str]:
        """Return the last code of the answer, and its text. Raises BgpError."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._writer is None:
                    self._reader, self._writer = await asyncio.open_unix_connection(
                        self._socket, limit=LINE_BYTES
                    )
                    await self._answer()
                self._writer.write(command.encode() + b"\n")
                return await self._answer()
        except TimeoutError:
            self.close()
            raise BgpError(f"{self._socket} does not answer: is BIRD stopped?") from None
        except OSError as error:
            self.close()
            raise BgpError(f"{self._socket} cannot be asked: {error.strerror or error}") from None
        except ValueError:
            self.close()
            raise BgpError(f"{self._socket} answers with a line of {LINE_BYTES} bytes") from None
        except BgpError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _answer(self) -> tuple[int, str]:
        assert self._reader is not None
        lines, size = [], 0
        while True:
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise BgpError(f"{self._socket} was closed by BIRD")
            size += len(line)
            if size > ANSWER_BYTES:
                raise TooMuchError(f"{self._socket} answers with more than {ANSWER_BYTES} bytes")
            coded = _CODED.match(line)
            text = line[5:] if coded else line[1:]
            lines.append(text.rstrip(b"\n").decode(errors="replace"))
            if coded and coded[2] == b" ":
                return int(coded[1]), "\n".join(lines)
