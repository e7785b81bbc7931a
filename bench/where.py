"""On what and when a page was measured, for pages whose figures depend on it."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

from bench.speed.machine import processor


def measured_on(today: datetime.date | None = None) -> str:
    """Return a sentence: date, processor, cores, kernel, Python. The host's name is not told."""
    date = today or datetime.datetime.now(datetime.UTC).date()
    model, _ = processor(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return (
        f"Measured on {date.isoformat()}: {model}, {os.cpu_count()} cores, Linux "
        f"{platform.release()}, Python {platform.python_version()}."
    )
