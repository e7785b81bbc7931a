"""The handler of a process that answers a few questions over HTTP, and serves nothing else."""

from __future__ import annotations

import time
from typing import Any

from headrace.http.answers import error_response, prepared_head
from headrace.http.parser import BadRequest
from headrace.http.server.exchange import Exchange
from headrace.reasons import Reason
from headrace.telemetry.connection_counts import ConnectionCounts


class Answering(ConnectionCounts):
    """The server's handler: see `headrace.http.server.exchange.Handler`. A role adds `answer`, its
    `log`, and in `fault` what a client is told of a fault of ours.
    """

    log: Any
    fault: str

    def answer(self, exchange: Exchange) -> None:
        """Answer a request. Raises BadRequest."""
        raise NotImplementedError

    def handle(self, exchange: Exchange) -> None:
        """Answer a request. A fault of ours must not leave its client waiting."""
        try:
            self.answer(exchange)
        except BadRequest as error:
            # Who asks again and again what it gets no answer to keeps this process from its work.
            exchange.keep_alive = False
            _send_problem(exchange, error.status, str(error))
        except Exception:
            self.log.exception("request_failed")
            if exchange.status:
                exchange.abort(Reason.INTERNAL_ERROR.word)
            else:
                _send_problem(exchange, 500, self.fault)

    def refused(self, exchange: Exchange, error: BadRequest) -> None:
        """Answer a request that cannot be understood; the connection closes afterwards."""
        self.parse_error(error.status)
        _send_problem(exchange, error.status, str(error))

    def finished(self, exchange: Exchange, ended: str) -> None:
        """Count a response that ended, whole or not."""
        self.metrics.bytes_sent += exchange.bytes_sent
        self.metrics.responses[exchange.status // 100] += 1


def _send_problem(exchange: Exchange, status: int, detail: str) -> None:
    fields, body = error_response(status, detail, time.time())
    exchange.respond(status, prepared_head(status, fields, len(body)), memoryview(body))
