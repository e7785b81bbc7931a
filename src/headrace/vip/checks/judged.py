"""What one request to a VIP says of it. Pure."""

from __future__ import annotations

import enum
import errno
import hashlib
import re
import ssl
from dataclasses import dataclass

from headrace.vip.plan.health import Found

UNBOUND = "the address is not bound"
_ORIGINS_FAULT = frozenset({502, 504})
_HIT = re.compile(r"(?:^|[;,\s])hit(?:$|[;,\s])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Check:
    """What is asked for, and what has to come."""

    host: str
    path: str
    port: int
    secure: bool
    sha256: str | None = None
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer."""

    status: int
    body: bytes
    cache_status: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What it comes to. `unbound`: the address itself is missing."""

    found: Found
    why: str = ""
    unbound: bool = False


class _Verify(enum.IntEnum):
    """Errors of a certificate, as OpenSSL numbers them (x509_vfy.h)."""

    NOT_YET_VALID = 9
    HAS_EXPIRED = 10
    HOSTNAME_MISMATCH = 62


def judge_answer(check: Check, answer: Answered) -> Judged:
    """Return what an answer says."""
    if answer.status in _ORIGINS_FAULT:
        # The edge is there and says that others are not: all of a site would leave at once.
        return Judged(Found.IMPAIRED, f"it answers {answer.status}: its origin fails")
    if answer.status >= 500:
        return Judged(Found.DOUBTFUL, f"it answers {answer.status}")
    if answer.status != 200:
        return Judged(Found.FAILED, f"it answers {answer.status} for {check.host}{check.path}")
    if check.sha256 is not None and hashlib.sha256(answer.body).hexdigest() != check.sha256:
        return Judged(Found.FAILED, f"other bytes for {check.host}{check.path}")
    if check.stored and not _HIT.search(answer.cache_status):
        return Judged(Found.IMPAIRED, f"{check.host}{check.path} did not come from the store")
    return Judged(Found.PASSED)


def judge_error(check: Check, error: Exception) -> Judged:
    """Return what it says that there was no answer."""
    match error:
        case ssl.SSLCertVerificationError():
            return Judged(Found.FAILED, _of_certificate(check.host, error))
        case ssl.SSLError():
            return Judged(Found.FAILED, f"no TLS: {str(error)[:200]}")
        case TimeoutError():
            return Judged(Found.DOUBTFUL, "no answer in time")
        case ConnectionRefusedError():
            return Judged(Found.FAILED, f"nothing listens on port {check.port}")
        case OSError() if error.errno == errno.EADDRNOTAVAIL:
            return Judged(Found.FAILED, UNBOUND, unbound=True)
        case OSError():
            return Judged(Found.DOUBTFUL, error.strerror or "the connection was closed")
    return Judged(Found.FAILED, str(error)[:200] or type(error).__name__)


def _of_certificate(host: str, error: ssl.SSLCertVerificationError) -> str:
    """Return what is wrong with a certificate: who renews one that is for another host, or looks
    for another host where the clock is wrong, loses time.
    """
    match getattr(error, "verify_code", None):  # set where OpenSSL says it, not by Python
        case _Verify.NOT_YET_VALID:
            return f"the certificate for {host} is not valid yet, or the clock here is slow"
        case _Verify.HAS_EXPIRED:
            return f"the certificate for {host} has expired, or the clock here is fast"
        case _Verify.HOSTNAME_MISMATCH:
            return f"the certificate is not for {host}"
    said = getattr(error, "verify_message", "") or str(error)
    return f"the certificate for {host} is not trusted by [checking] ca: {said[:200]}"
