"""Answers the other servers of the site, which ask what this one announces.

Whoever does not prove that it knows the secret of the network gets nothing, and its connection is
closed: one that asks again and again would keep this process from its checks.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from headrace.http.answers import prepared_head
from headrace.http.dates import format_http_date
from headrace.http.parser import BadRequest
from headrace.http.server.exchange import Exchange
from headrace.node.answering import Answering
from headrace.node.network.learnt_pull import PATH as LEARNT_PATH
from headrace.node.network.signed import (
    ANSWER_FIELD,
    ASK_FIELD,
    Secrets,
    answer_value,
    asked_nonce,
    digest_of,
)
from headrace.telemetry.metrics import WorkerMetrics
from headrace.topology.announced_document import PATH

_PATH = PATH.encode()
_COVERAGE = LEARNT_PATH.encode()
_AFTER = _COVERAGE + b"?after="
_LONGEST_TARGET = 256
_ASK, _ANSWER = ASK_FIELD.lower().encode(), ANSWER_FIELD.lower().encode()

log = structlog.get_logger("headrace.vip")


class VipHandler(Answering):
    """The server's handler: see `headrace.http.server.exchange.Handler`. `document` returns what
    this server announces now, `learnt` the coverage that it has learnt, with a digest; `asked_by`
    is told the address of who asks what is announced; `unknown` counts who asked without being of
    the network.
    """

    log = log
    fault = "this process failed at the request"

    def __init__(
        self,
        metrics: WorkerMetrics,
        document: Callable[[], bytes],
        learnt: Callable[[], tuple[str, bytes]],
        secrets: Callable[[], Secrets],
        asked_by: Callable[[str], None] = lambda _address: None,
    ) -> None:
        super().__init__(metrics)
        self.unknown = 0
        self._document = document
        self._learnt = learnt
        self._secrets = secrets
        self._asked_by = asked_by

    def answer(self, exchange: Exchange) -> None:
        """Answer a request. Raises BadRequest."""
        head = exchange.head
        assert head is not None
        path = head.target.partition(b"?")[0]
        if (head.target != _PATH and path != _COVERAGE) or len(head.target) > _LONGEST_TARGET:
            raise BadRequest(404, f"there is {PATH} for servers of the site, and {LEARNT_PATH}")
        if head.method != b"GET":
            raise BadRequest(405, "this answers GET only")
        secrets = self._secrets()
        nonce = asked_nonce(secrets, head.target, head.headers.get(_ASK)) if secrets else None
        if nonce is None:
            self.unknown += 1
            raise BadRequest(401, "this is for who knows the secret of the network")
        if path == _PATH:
            self._asked_by(exchange.address)
        body = self._document() if path == _PATH else self._if_new(head.target)
        if body is None:
            exchange.respond(204, prepared_head(204, [(b"cache-control", b"no-store")], None))
            return
        fields = [
            (b"date", format_http_date(time.time())),
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            (_ANSWER, answer_value(secrets, head.target, nonce, digest_of(body))),
        ]
        exchange.respond(200, prepared_head(200, fields, len(body)), memoryview(body))

    def _if_new(self, target: bytes) -> bytes | None:
        """Return what was learnt; None for who has it already."""
        digest, body = self._learnt()
        return None if target == _AFTER + digest.encode() else body
