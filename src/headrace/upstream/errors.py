"""What can go wrong with an origin, by class of failure."""

from __future__ import annotations

import enum

from headrace.errors import HeadraceError
from headrace.reasons import Reason


class Failure(enum.Enum):
    """Where an exchange with an origin failed. Values are the words of logs and metrics."""

    DNS = Reason.DNS.word
    CONNECT_REFUSED = Reason.CONNECT_REFUSED.word
    CONNECT_TIMEOUT = Reason.CONNECT_TIMEOUT.word
    TLS = Reason.TLS.word
    SEND = Reason.SEND.word
    HEAD_TIMEOUT = Reason.FIRST_BYTE_TIMEOUT.word
    HEAD_RESET = Reason.RESET_BEFORE_HEAD.word
    BAD_HEAD = Reason.INVALID_RESPONSE.word
    BODY_RESET = Reason.RESET_IN_BODY.word
    BODY_SHORT = Reason.SHORT_BODY.word
    BODY_LONG = Reason.LONG_BODY.word
    BODY_TIMEOUT = Reason.BETWEEN_BYTES_TIMEOUT.word
    BODY_SLOW = Reason.TOO_SLOW.word
    BAD_CHUNKS = Reason.BAD_CHUNKS.word
    NO_ORIGIN = Reason.NO_ORIGIN_FREE.word
    NO_RETRY = Reason.RETRY_BUDGET_SPENT.word
    OTHER_BODY = Reason.ANOTHER_BODY.word
    NOT_SIGNED = Reason.NOT_SIGNED.word


TIMEOUTS = frozenset(
    (Failure.CONNECT_TIMEOUT, Failure.HEAD_TIMEOUT, Failure.BODY_TIMEOUT, Failure.BODY_SLOW)
)

# No origin was reached, or none answered: the cache is cut off from them (RFC 9111 section 4.2.4).
UNREACHABLE = frozenset(
    (
        Failure.DNS,
        Failure.CONNECT_REFUSED,
        Failure.CONNECT_TIMEOUT,
        Failure.TLS,
        Failure.SEND,
        Failure.HEAD_TIMEOUT,
        Failure.HEAD_RESET,
        Failure.NO_ORIGIN,
    )
)

UNPROVOKED = frozenset((Failure.DNS, Failure.CONNECT_REFUSED, Failure.CONNECT_TIMEOUT, Failure.TLS))
"""Failures that no request can have caused: none was sent."""


class OriginError(HeadraceError):
    """An exchange with an origin failed. `failure` says where, `summary` what each origin did."""

    def __init__(self, failure: Failure, message: str, summary: str = "") -> None:
        super().__init__(message)
        self.failure = failure
        self.summary = summary

    @property
    def status(self) -> int:
        """What a gateway answers for it (RFC 9110 sections 15.6.3 to 15.6.5)."""
        if self.failure in (Failure.NO_ORIGIN, Failure.NO_RETRY):
            return 503
        return 504 if self.failure in TIMEOUTS else 502
