"""Until when the certificates in force hold, for the metrics and the log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from cryptography import x509

from headrace.config.server import Certificate

log = structlog.get_logger()


def read_expiries(certificates: Sequence[Certificate], now: float) -> dict[str, float]:
    """Return when each certificate expires, by its file, in Unix seconds; log those that have.

    What cannot be read is left out: the workers have refused it, or will.
    """
    found = {}
    for certificate in certificates:
        try:
            shown = x509.load_pem_x509_certificates(certificate.cert.read_bytes())[0]
        except (OSError, ValueError):
            continue
        until = shown.not_valid_after_utc.timestamp()
        found[str(certificate.cert)] = until
        if until <= now:
            since = datetime.fromtimestamp(until, UTC).isoformat()
            log.error("certificate_expired", file=str(certificate.cert), expired=since)
    return found


def expiries(certificates: Sequence[Certificate]) -> dict[str, float]:
    """Return the same, of now."""
    return read_expiries(certificates, time.time())
