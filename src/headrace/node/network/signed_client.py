"""Asks another node of the network for a signed document over HTTP: bounded in bytes and time, and
believed only when the signature is for this very question.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiohttp

from headrace import __version__
from headrace.errors import HeadraceError
from headrace.node.network.signed import ANSWER_FIELD, ASK_FIELD, Secrets, answers, ask_value
from headrace.node.network.signed import new_nonce as some_nonce

CONNECT_S = 2.0
SILENT_S, AGAIN_S, TRIES = 2, 1, 2
"""A question may be kept for long, and nothing is sent meanwhile. So the other machine is asked
whether it is still there: after so many seconds, again after so many, so often."""
_CHUNK_BYTES = 64 * 1024
_FIELD_BYTES = 8190
_NOTHING_NEW = 204
_UNKNOWN = 401


def noticing_socket(place: aiohttp.AddrInfoType) -> socket.socket:
    """Return a socket that notices within seconds when the other machine is gone, or was started
    again.
    """
    family, kind, protocol, *_ = place
    made = socket.socket(family, kind, protocol)
    for level, option, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_S),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, AGAIN_S),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, TRIES),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * (SILENT_S + AGAIN_S * TRIES)),
    ):
        made.setsockopt(level, option, value)
    return made


class NoAnswer(HeadraceError):
    """There was no answer, or none that can be believed. `kind` is a word for counts."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class SignedClient:
    """One client for all that a process asks of others; connections are kept for the next time."""

    session: aiohttp.ClientSession
    most_bytes: int
    key: str

    @classmethod
    def open(cls, most_bytes: int, ca: Path | None = None, key: str = "secret_file") -> Self:
        """Return a client whose answers have at most so many bytes; `ca` has the authorities of
        certificates (None: the system's), `key` names the file of secrets in the configuration.
        Needs a running loop. Raises OSError for a bad `ca`.
        """
        trusted = None if ca is None else ssl.create_default_context(cafile=str(ca))
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                limit_per_host=4,
                force_close=False,
                socket_factory=noticing_socket,
                ssl=True if trusted is None else trusted,
            ),
            headers={"User-Agent": f"headrace/{__version__}", "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
            max_line_size=_FIELD_BYTES,
            max_field_size=_FIELD_BYTES,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return cls(session, most_bytes, key)

    async def close(self) -> None:
        """Close all connections."""
        await self.session.close()

    async def ask(self, base: str, target: str, secrets: Secrets, within_s: float) -> bytes | None:
        """Return the document at `base` + `target`; None where there is nothing new.

        Raises NoAnswer.
        """
        nonce = some_nonce()
        fields = {ASK_FIELD: ask_value(secrets, target, nonce)}
        try:
            async with (
                asyncio.timeout(within_s),
                self.session.get(
                    base + target,
                    headers=fields,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
                ) as response,
            ):
                if response.status == _NOTHING_NEW:
                    return None
                if response.status == _UNKNOWN:
                    raise NoAnswer("secret", f"{base} does not know our secret: {self._compare()}")
                if response.status != 200:
                    raise NoAnswer("status", f"{base} answered {response.status}")
                body = await self._whole(base, response)
                said = response.headers.get(ANSWER_FIELD, "")
        except TimeoutError:
            raise NoAnswer("timeout", f"{base} did not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            kind = "refused" if _is_refused(error) else "unreachable"
            raise NoAnswer(kind, f"{base}: {what_failed(error)}") from None
        if not answers(secrets, target, nonce, said, body):
            raise NoAnswer("signature", f"{base} answered without our secret: {self._compare()}")
        return body

    def _compare(self) -> str:
        return f"compare the files that {self.key} names here and there"

    async def _whole(self, base: str, response: aiohttp.ClientResponse) -> bytes:
        """Return the whole body. Raises NoAnswer for one that is too large."""
        found = bytearray()
        async for part in response.content.iter_chunked(_CHUNK_BYTES):
            found += part
            if len(found) > self.most_bytes:
                raise NoAnswer("too_large", f"{base} answered more than {self.most_bytes} bytes")
        return bytes(found)


def _is_refused(error: Exception) -> bool:
    """Return whether the machine is there, and nothing listens."""
    return isinstance(error, OSError) and error.errno == errno.ECONNREFUSED


def what_failed(error: Exception) -> str:
    """Return it in the system's words where it has some."""
    code = error.errno if isinstance(error, aiohttp.ClientConnectorError) else None
    if code is not None and code in errno.errorcode:
        return os.strerror(code)
    return str(error)[:200] or type(error).__name__
