"""A connection to a daemon over its own socket: one question after the other, each in bounded time.

How questions and answers are framed is each daemon's own matter.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

from headrace.bgp.errors import BgpError, TooMuchError

ANSWER_BYTES = 16 << 20
LINE_BYTES = 64 * 1024

Answer = TypeVar("Answer")


class DaemonSocket(ABC, Generic[Answer]):
    """The connection, made with the first question and again after a failure."""

    daemon: str
    """What people call it."""
    answer_s: float

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, command: str) -> Answer:
        """Return the answer to a command. Raises BgpError."""
        try:
            async with asyncio.timeout(self.answer_s):
                if self._streams is None:
                    self._streams = await asyncio.open_unix_connection(
                        self._socket, limit=LINE_BYTES
                    )
                    await self._greet(*self._streams)
                return await self._exchange(*self._streams, command)
        except TimeoutError:
            self.close()
            raise BgpError(f"{self._socket} does not answer: is {self.daemon} stopped?") from None
        except OSError as error:
            self.close()
            raise BgpError(f"{self._socket} cannot be asked: {error.strerror or error}") from None
        except ValueError:
            self.close()
            raise BgpError(f"{self._socket} answers with a line of {LINE_BYTES} bytes") from None
        except BaseException:  # also when it is given up half asked: the answer would come later
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None

    @abstractmethod
    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what comes before the first question. Raises BgpError."""

    @abstractmethod
    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str
    ) -> Answer:
        """Ask, and return the whole answer. Raises BgpError."""

    def _bounded(self, size: int) -> None:
        """Refuse an answer that is too long. Raises TooMuchError."""
        if size > ANSWER_BYTES:
            raise TooMuchError(f"{self._socket} answers with more than {ANSWER_BYTES} bytes")

    def _closed(self) -> BgpError:
        return BgpError(f"{self._socket} was closed by {self.daemon}")
