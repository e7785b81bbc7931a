"""Until when the certificates in force hold, for the metrics and the log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

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
        shown = read_certificate(certificate.cert)
        if shown is None:
            continue
        until = shown.not_valid_after_utc.timestamp()
        found[str(certificate.cert)] = until
        if until <= now:
            since = datetime.fromtimestamp(until, UTC).isoformat()
            log.error("certificate_expired", file=str(certificate.cert), expired=since)
    return found


def read_certificate(file: Path) -> x509.Certificate | None:
    """Return the certificate that a file shows; None where it cannot be read."""
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())[0]
    except (OSError, ValueError):
        return None


def expiries(certificates: Sequence[Certificate]) -> dict[str, float]:
    """Return the same, of now."""
    return read_expiries(certificates, time.time())
