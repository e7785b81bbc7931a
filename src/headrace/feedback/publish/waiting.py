"""Nodes that wait for a view: each is answered when there is one that is newer than its own, or
when it has waited long enough.

What is kept for one is a place in a table, and as many may wait as the listener has connections.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from headrace.feedback.publish.published import (
    BEFORE_ALL,
    OTHERS_AHEAD_S,
    Order,
    Published,
    believable,
)
from headrace.http.answers import prepared_head
from headrace.http.dates import format_http_date
from headrace.http.server.exchange import Exchange
from headrace.node.network.signed import ANSWER_FIELD, Secrets, answer_value

HOLD_S = 20.0
_ANSWER = ANSWER_FIELD.lower().encode()


@dataclass(slots=True)
class Waiter:
    """A question: what the answer must be signed for, of what it must be newer, since when."""

    target: bytes
    nonce: bytes
    after: Order
    until_s: float


class Waiting:
    """Those who wait. `published` is the newest view, None before the first; `held` is the newest
    that a node said it has, and that may be believed.
    """

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets
        self.published: Published | None = None
        self.held: Order = BEFORE_ALL
        self._waiters: dict[Exchange, Waiter] = {}
        self._draining = False

    def __len__(self) -> int:
        return len(self._waiters)

    def ask(
        self, exchange: Exchange, target: bytes, nonce: bytes, after: Order, now: float
    ) -> None:
        """Answer a question, at once or later."""
        loop_s = asyncio.get_running_loop().time()
        if after > self.held and believable(after, now, OTHERS_AHEAD_S):
            self.held = after
        waiter = Waiter(target, nonce, after, loop_s + HOLD_S)
        if self._is_newer_than(after):
            self._answer(exchange, waiter, now)
        elif self._draining:
            send_nothing_new(exchange, now)
        else:
            self._waiters[exchange] = waiter

    def left(self, exchange: Exchange) -> None:
        """Forget whoever does not wait any more."""
        self._waiters.pop(exchange, None)

    def publish(self, published: Published, now: float) -> None:
        """Answer all for whom this view is newer."""
        self.published = published
        for exchange, waiter in list(self._waiters.items()):
            if self._is_newer_than(waiter.after):
                self.left(exchange)
                self._answer(exchange, waiter, now)

    def drain(self, now: float, *, draining: bool) -> None:
        """Keep nobody waiting while draining."""
        self._draining = draining
        self.give_up_old(now)

    def give_up_old(self, now: float) -> None:
        """Answer those who have waited long enough: there is nothing new. All, when draining."""
        loop_s = asyncio.get_running_loop().time()
        for exchange, waiter in list(self._waiters.items()):
            if self._draining or waiter.until_s <= loop_s:
                self.left(exchange)
                send_nothing_new(exchange, now)

    def _is_newer_than(self, order: Order) -> bool:
        return (BEFORE_ALL if self.published is None else self.published.order) > order

    def _answer(self, exchange: Exchange, waiter: Waiter, now: float) -> None:
        published = self.published
        assert published is not None
        value = answer_value(self.secrets, waiter.target, waiter.nonce, published.digest)
        send_signed(exchange, published.data, value, b"application/json", now)


def send_signed(
    exchange: Exchange, body: bytes, signature: bytes, media_type: bytes, now: float
) -> None:
    """Answer with a document and its signature."""
    fields = [
        (b"date", format_http_date(now)),
        (b"content-type", media_type),
        (b"cache-control", b"no-store"),
        (_ANSWER, signature),
    ]
    exchange.respond(200, prepared_head(200, fields, len(body)), memoryview(body))


def send_nothing_new(exchange: Exchange, now: float) -> None:
    """Answer that there is nothing new."""
    fields = [(b"date", format_http_date(now)), (b"cache-control", b"no-store")]
    exchange.respond(204, prepared_head(204, fields, None))
