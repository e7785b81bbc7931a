"""Sizes, durations and bit rates as people write them, turned into bytes, seconds and bit/s.

Decides what a text such as `10GiB`, `5m` or `10Gbps` means, and nothing else.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator

from headrace.config.base import Written

SIZE_UNITS: dict[str, int] = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
}
DURATION_UNITS: dict[str, float] = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
BIT_RATE_UNITS: dict[str, int] = {
    "bps": 1,
    "kbps": 1000,
    "Mbps": 1000**2,
    "Gbps": 1000**3,
    "Tbps": 1000**4,
}

_QUANTITY = re.compile(r"\s*([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*([A-Za-z]*)\s*", re.ASCII)
_SIZE_UNITS_FOLDED = {unit.lower(): factor for unit, factor in SIZE_UNITS.items()}
_BIT_RATE_UNITS_FOLDED = {unit.lower(): factor for unit, factor in BIT_RATE_UNITS.items()}


def parse_size(value: object) -> int:
    """Bytes from `4096`, `"64MB"` (powers of 1000) or `"10GiB"` (powers of 1024).

    Raises ValueError, with the remedy, for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        size_bytes = value
    else:
        match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
        factor = _SIZE_UNITS_FOLDED.get((match[2] or "B").lower()) if match else None
        if match is None or factor is None:
            raise ValueError(
                'not a size: write whole bytes, or a text such as "64MB" or "10GiB" '
                f"(units: {', '.join(SIZE_UNITS)})"
            )
        exact = float(match[1]) * factor
        size_bytes = int(match[1]) * factor if match[1].isdigit() else int(exact)
        if "." in match[1] and exact != size_bytes:
            raise ValueError("not a whole number of bytes: write it in a smaller unit")
    if size_bytes < 0:
        raise ValueError("a size cannot be negative: write 0 or more")
    return size_bytes


def parse_duration(value: object) -> float:
    """Seconds from `2.5`, `"250ms"`, `"10s"`, `"5m"`, `"1h"` or `"1d"`.

    Raises ValueError, with the remedy, for anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        duration_s = float(value)
    else:
        match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
        factor = DURATION_UNITS.get(match[2] or "s") if match else None
        if match is None or factor is None:
            raise ValueError(
                'not a duration: write seconds as a number, or a text such as "250ms", "10s" '
                f'or "5m" (units: {", ".join(DURATION_UNITS)})'
            )
        duration_s = float(match[1]) * factor
    if not math.isfinite(duration_s):
        raise ValueError("a duration must be finite: write a number of seconds")
    if duration_s < 0:
        raise ValueError("a duration cannot be negative: write 0 or more")
    return duration_s


def parse_bit_rate(value: object) -> int:
    """Bits per second from `1000000`, `"800Mbps"` or `"2.5Gbps"` (powers of 1000).

    Raises ValueError, with the remedy, for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        rate_bps = value
    else:
        match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
        factor = _BIT_RATE_UNITS_FOLDED.get((match[2] or "bps").lower()) if match else None
        if match is None or factor is None:
            raise ValueError(
                'not a bit rate: write whole bits per second, or a text such as "800Mbps" or '
                f'"10Gbps" (units: {", ".join(BIT_RATE_UNITS)})'
            )
        if "B" in match[2]:
            raise ValueError("B means bytes: write bits per second, with a small b")
        exact = Fraction(match[1]) * factor
        rate_bps = int(exact)
        if exact != rate_bps:
            raise ValueError("not a whole number of bits per second: write it in a smaller unit")
    if rate_bps < 0:
        raise ValueError("a bit rate cannot be negative: write 0 or more")
    return rate_bps


def format_bit_rate(rate_bps: int) -> str:
    """Return the shortest exact spelling: `"10Gbps"`, `"2500Mbps"`."""
    for unit in ("Tbps", "Gbps", "Mbps", "kbps"):
        factor = BIT_RATE_UNITS[unit]
        if rate_bps and rate_bps % factor == 0:
            return f"{rate_bps // factor}{unit}"
    return f"{rate_bps}bps"


def rounded_bit_rate(rate_bps: float) -> str:
    """Return a measured rate in three digits: `"28.3kbps"`, `"2.67Gbps"`, `"0bps"`."""
    for unit in ("bps", "kbps", "Mbps", "Gbps", "Tbps"):
        amount = rate_bps / BIT_RATE_UNITS[unit]
        if amount < 999.5 or unit == "Tbps":
            break
    digits = f"{amount:.3g}" if amount < 999.5 else f"{amount:.0f}"
    return f"{digits}{unit}"


def format_size(size_bytes: int) -> int | str:
    """Return the shortest exact spelling: `"10GiB"` where a binary unit divides, else plain
    bytes.
    """
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        factor = SIZE_UNITS[unit]
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    return size_bytes


SizeBytes = Annotated[int, BeforeValidator(parse_size), Written("size")]
BitRateBps = Annotated[int, BeforeValidator(parse_bit_rate), Written("bit rate")]
DurationS = Annotated[float, BeforeValidator(parse_duration), Written("duration")]
