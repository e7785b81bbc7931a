"""Pulls views from the network's feedback processes: each is asked for one that is newer than the
one in force, and answers when it has one.

A process that is gone, hangs or lies costs its own question and nothing else: the view in force
stays, and ages.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from headrace.config.peer_secrets import read_secrets
from headrace.node.network.signed import Secrets
from headrace.node.network.signed_client import NoAnswer, SignedClient
from headrace.topology.view_codec import LARGEST_BYTES, ViewError

HOLD_S = 20.0
"""How long a feedback process keeps a question that it has no answer to."""
ANSWER_S = 10.0
"""What the answer may take beyond that."""
PAUSE_S = 0.05
"""Between two questions at least: more than 20 views a second are of no use to anybody."""
NOTHING_NEW_PAUSE_S = 0.5
"""After an answer that there is nothing new: one that says so at once is not asked all the time."""
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 2.0
"""A process that returns is asked within so long; 1,000 nodes are some 700 questions a second."""
FAULT_WAIT_S = 10.0

log = structlog.get_logger("headrace.network")

Offer = Callable[[bytes, str], bool]
"""Takes a document and where it is from. Raises ViewError for one that is refused."""


class ViewPuller:
    """Asks each of `urls` again and again. `after` says of which view a newer one is wanted."""

    def __init__(
        self,
        urls: Sequence[str],
        secret_file: Path,
        after: Callable[[], str],
        offer: Offer,
        ca: Path | None = None,
    ) -> None:
        self._urls = tuple(urls)
        self._secret_file = secret_file
        self._after = after
        self._offer = offer
        self._ca = ca

    async def run(self) -> None:
        """Ask until it is cancelled."""
        client = await self._client()
        try:
            await asyncio.gather(*(self._follow(client, url) for url in self._urls))
        finally:
            await client.close()

    async def _client(self) -> SignedClient:
        """Return what asks; wait for a file of authorities that cannot be used now."""
        while True:
            try:
                return SignedClient.open(LARGEST_BYTES, self._ca)
            except OSError as error:
                log.error("view_not_pulled", source=str(self._ca), problem=str(error))
                await asyncio.sleep(FAULT_WAIT_S)

    async def _follow(self, client: SignedClient, url: str) -> None:
        wait_s = FIRST_WAIT_S
        logged: set[str] = set()  # each kind once, until a view comes again
        while True:
            try:
                pause_s = PAUSE_S if await self._once(client, url) else NOTHING_NEW_PAUSE_S
            except (NoAnswer, ViewError, ValueError, OSError) as error:
                kind = error.kind if isinstance(error, NoAnswer) else type(error).__name__
                if kind not in logged:
                    logged.add(kind)
                    log.warning("view_not_pulled", source=url, problem=str(error))
                await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            except Exception:  # a fault of ours must not end the following
                log.exception("view_not_pulled", source=url)
                await asyncio.sleep(FAULT_WAIT_S)
            else:
                if logged:
                    log.info("view_pulled_again", source=url)
                wait_s = FIRST_WAIT_S
                logged.clear()
                await asyncio.sleep(pause_s)

    async def _once(self, client: SignedClient, url: str) -> bool:
        """Ask once; return whether there was a view.

        Raises NoAnswer, ViewError, ValueError or OSError.
        """
        secrets: Secrets = await asyncio.to_thread(read_secrets, self._secret_file)
        target = f"/v1/view?after={self._after()}"
        data = await client.ask(url, target, secrets, HOLD_S + ANSWER_S)
        if data is None:
            return False
        self._offer(data, url)
        return True
