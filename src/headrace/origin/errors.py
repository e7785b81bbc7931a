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
    BAD_CHUNKS = "bad_chunks"


TIMEOUTS = frozenset((Failure.CONNECT_TIMEOUT, Failure.HEAD_TIMEOUT, Failure.BODY_TIMEOUT))


class OriginError(HeadraceError):
    """An exchange with an origin failed. `failure` says where."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure

    @property
    def status(self) -> int:
        """What a gateway answers for it (RFC 9110 sections 15.6.3 and 15.6.5)."""
        return 504 if self.failure in TIMEOUTS else 502
