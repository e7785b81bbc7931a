"""Answers the questions that come over HTTP: nodes ask for views, observers for observations.

Nodes prove that they know the secret of the network, observers that they know theirs. Whoever does
not gets nothing, and its connection is closed; nothing is kept of it.
"""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qsl

import structlog

from headrace.feedback.exchange.telling import Telling
from headrace.feedback.publish.published import order_of
from headrace.feedback.publish.waiting import Waiting
from headrace.http.parser import BadRequest
from headrace.http.server.exchange import Exchange
from headrace.node.answering import Answering
from headrace.node.network.signed import ASK_FIELD, Secrets, asked_nonce
from headrace.telemetry.metrics import WorkerMetrics

VIEW, OBSERVER = b"/v1/view", b"/v1/observer"
LONGEST_TARGET = 512
LONGEST_LIST = 64
MOST_PARAMETERS = 8
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
"""What can be a `node_id`: an alarm may name whoever asks."""
_ASK = ASK_FIELD.lower().encode()

log = structlog.get_logger("headrace.feedback")


class FeedbackHandler(Answering):
    """The server's handler: see `headrace.http.server.exchange.Handler`."""

    log = log
    fault = "the feedback process failed at this request"

    def __init__(self, metrics: WorkerMetrics, waiting: Waiting, telling: Telling) -> None:
        super().__init__(metrics)
        self._waiting = waiting
        self._telling = telling

    def answer(self, exchange: Exchange) -> None:
        """Answer a request. Raises BadRequest."""
        head = exchange.head
        assert head is not None
        path, _mark, query = head.target.partition(b"?")
        if path not in (VIEW, OBSERVER) or len(head.target) > LONGEST_TARGET:
            raise BadRequest(404, "there is /v1/view for nodes, and /v1/observer for observers")
        if head.method != b"GET":
            raise BadRequest(405, "this answers GET only")
        secrets: Secrets = (self._waiting if path == VIEW else self._telling).secrets
        nonce = asked_nonce(secrets, head.target, head.headers.get(_ASK)) if secrets else None
        if nonce is None:
            self._telling.unknown += 1
            whose = "the network" if path == VIEW else "the observers"
            raise BadRequest(401, f"this is for who knows the secret of {whose}")
        asked = _parameters(query)
        now = time.time()
        if path == VIEW:
            after = order_of(asked.get("after", "0,0").encode())
            if after is None:
                raise BadRequest(400, "after is no made_at,version")
            self._waiting.ask(exchange, head.target, nonce, after, now)
            return
        name, digest = asked.get("from", ""), asked.get("list", "")
        if not _NAME.fullmatch(name) or len(digest) > LONGEST_LIST:
            self._telling.unknown += 1
            raise BadRequest(403, "this is for observers, which say who they are")
        text = asked.get("after", "-1")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
        # Also one that the own list does not have: it is to hear that there is another list. A
        # question that a stranger overheard, and asks again later, knows none of the last.
        if self._telling.told_lately(number):
            self._telling.askers.note(name, digest, exchange.address, time.monotonic())
        self._telling.ask(exchange, head.target, nonce, number, now)

    def finished(self, exchange: Exchange, ended: str) -> None:
        """Count a response that ended; who was cut waits no more."""
        if ended != "complete":
            self._waiting.left(exchange)
            self._telling.left(exchange)
        super().finished(exchange, ended)


def _parameters(query: bytes) -> dict[str, str]:
    """Return a query's parameters. Raises BadRequest."""
    try:
        return dict(parse_qsl(query.decode("ascii"), max_num_fields=MOST_PARAMETERS))
    except ValueError:
        raise BadRequest(400, "the query is not made of name=value pairs") from None
