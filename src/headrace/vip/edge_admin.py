"""Asks the admin API of the edge on this machine: whether it is ready, how many clients it has; and
lets it drain and return with the server.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import msgspec
import structlog
from msgspec import Meta

from headrace.errors import HeadraceError
from headrace.node.admin.token import token_in
from headrace.node.network.signed_client import what_failed

INTERVAL_S = 1.0
WITHIN_S = 2.0
LARGEST_BYTES = 1024 * 1024
DETAIL_LETTERS = 200
DRAINING, STOPPING = "draining", "stopping"

log = structlog.get_logger("headrace.vip")


def edge_wish(*, leaves: bool, told: bool, draining: bool | None) -> tuple[bool | None, bool]:
    """Return whether the edge is to drain (None: as it likes), and whether it drains since it was
    told to. Pure.

    One that somebody else drained is left so. Of one that does not say whether it drains, it is
    not known who let it: it is told nothing but to end what it was told.
    """
    if draining is None:
        return (False if told and not leaves else None), told
    if leaves:
        return True, told or not draining
    return (False, True) if told and draining else (None, False)


class _Said(msgspec.Struct):
    """What matters of the answer to /ready: a problem's detail, or what is wrong nevertheless."""

    detail: str = ""
    impaired: str = ""


class _Load(msgspec.Struct):
    """What matters of the edge's report."""

    draining: bool = False
    connections: Annotated[int, Meta(ge=0, le=2**53)] = 0
    interval_s: float = 0.0
    age_s: float = 0.0


class EdgeAdmin:
    """The edge, as its admin API tells. `unready` says why clients are not welcome ("": they are,
    or it is not known), `impaired` why they would be better off elsewhere; `draining` is None while
    it is not known; `connections` counts clients, the checks among them (None: not known);
    `problem` says why it cannot be asked.
    """

    def __init__(self, base: str, token_file: Path | None) -> None:
        """Ask nothing until `run`. Raises TokenError."""
        self.unready = self.impaired = ""
        self.draining: bool | None = None
        self.connections: int | None = None
        self.problem = ""
        self._base = base
        self._token_file = token_file
        self._token = "" if token_file is None else token_in(token_file)
        self._soon = asyncio.Event()
        self.wants_drained: bool | None = None

    def want(self, *, drained: bool | None) -> None:
        """Let the edge drain, or serve; None: leave it as it is."""
        if drained is not self.wants_drained:
            self.wants_drained = drained
            self._soon.set()

    async def run(self) -> None:
        """Ask until it is cancelled."""
        timeout = aiohttp.ClientTimeout(total=WITHIN_S)
        async with aiohttp.ClientSession(
            timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            while True:
                self._soon.clear()
                try:
                    await self._once(session)
                    self._note("")
                except TimeoutError:
                    self._unknown(f"{self._base}: no answer in time")
                except (aiohttp.ClientError, OSError) as error:
                    self._unknown(f"{self._base}: {what_failed(error)}")
                except (HeadraceError, msgspec.DecodeError, ValueError) as error:
                    self._unknown(f"{self._base}: {str(error)[:200]}")
                try:
                    async with asyncio.timeout(INTERVAL_S):
                        await self._soon.wait()
                except TimeoutError:
                    continue

    async def _once(self, session: aiohttp.ClientSession) -> None:
        status, body = await self._ask(session, "GET", "/ready")
        said = msgspec.json.decode(body, type=_Said)
        detail = "" if status == 200 else said.detail
        self.impaired = said.impaired[:DETAIL_LETTERS] if status == 200 else ""
        self.unready = "" if detail == DRAINING else detail[:DETAIL_LETTERS]
        if not self._token:
            self.draining = detail == DRAINING
            return
        status, body = await self._ask(session, "GET", "/report")
        if status == 401 and self._token_file is not None:
            self._token = token_in(self._token_file)
        if status != 200:
            raise HeadraceError(f"it answers {status} for /report: is token_file the edge's?")
        load = msgspec.json.decode(body, type=_Load)
        stopping = detail == STOPPING
        self.draining, self.connections = load.draining or stopping, load.connections
        # One that ends takes no orders any more.
        if (
            not stopping
            and self.wants_drained is not None
            and self.wants_drained is not self.draining
        ):
            path = "/drain" if self.wants_drained else "/undrain"
            status, _body = await self._ask(session, "POST", path)
            if status != 200:
                raise HeadraceError(f"it answers {status} for {path}")
            log.info("edge_told", path=path)

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, path: str
    ) -> tuple[int, bytes]:
        fields = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        options: dict[str, Any] = {"headers": fields, "allow_redirects": False}
        async with session.request(method, self._base + path, **options) as response:
            body = bytearray()
            async for part in response.content.iter_any():
                body += part
                if len(body) > LARGEST_BYTES:
                    raise HeadraceError(f"{path} answers with more than {LARGEST_BYTES} bytes")
            return response.status, bytes(body)

    def _unknown(self, problem: str) -> None:
        self.unready, self.impaired, self.draining, self.connections = "", "", None, None
        self._note(problem)

    def _note(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            if problem:
                log.warning("edge_not_asked", problem=problem)
