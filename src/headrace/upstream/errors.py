"""What can go wrong with an origin, by class of failure."""

from __future__ import annotations

import enum

from headrace.errors import HeadraceError


class Failure(enum.Enum):
    """Where an exchange with an origin failed. Values are the words of logs and metrics."""

    DNS = "dns"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    SEND = "send"  # the request could not be sent whole
    HEAD_TIMEOUT = "first_byte_timeout"
    HEAD_RESET = "reset_before_head"
    BAD_HEAD = "invalid_response"
    BODY_RESET = "reset_in_body"
    BODY_SHORT = "short_body"
    BODY_LONG = "long_body"
    BODY_TIMEOUT = "between_bytes_timeout"
    BODY_SLOW = "too_slow"
    BAD_CHUNKS = "bad_chunks"
    NOBODY = "no_origin_free"
    NO_RETRY = "retry_budget_spent"
    OTHER_BODY = "another_body"  # what was to continue a body turned out to be different
    NOT_SIGNED = "not_signed"  # nothing was sent: the edge does not sign such a request


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
        Failure.NOBODY,
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
        if self.failure in (Failure.NOBODY, Failure.NO_RETRY):
            return 503
        return 504 if self.failure in TIMEOUTS else 502
