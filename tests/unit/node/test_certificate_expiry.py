"""When the certificates in force expire."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

from structlog.testing import capture_logs

from headrace.config.server import Certificate
from headrace.node.certificate_expiry import read_expiries
from tests.harness.certificates import LIFETIME, Authority

DAY_S = 86_400.0


def test_each_expiry_is_told_and_one_that_is_past_is_logged(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("vod.test")
    held = [
        Certificate(cert=pair.cert, key=pair.key),
        Certificate(cert=tmp_path / "gone.pem", key=pair.key),
    ]
    now = time.time()
    with capture_logs() as logs:
        found = read_expiries(held, now)
    assert list(found) == [str(pair.cert)]
    assert abs(found[str(pair.cert)] - now - LIFETIME.total_seconds()) < DAY_S / 24
    assert not logs
    with capture_logs() as logs:
        read_expiries(held, now + LIFETIME.total_seconds() + DAY_S)
    expired = datetime.datetime.fromtimestamp(found[str(pair.cert)], datetime.UTC)
    assert [(each["event"], each["expired"]) for each in logs] == [
        ("certificate_expired", expired.isoformat())
    ]
