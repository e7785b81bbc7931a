"""HTTP dates (RFC 9110 section 5.6.7): all three formats are read, one is written. Pure.

Letters count in either case (RFC 9111 section 4.2); nothing else is guessed at: another time zone
or an impossible day is no date.
"""

from __future__ import annotations

import calendar
import re
import time
from functools import lru_cache

THIS_YEAR = time.gmtime().tm_year
LONGEST_BYTES = 40

_MONTHS = (
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
)  # fmt: skip
_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
_MONTH = b"(" + b"|".join(_MONTHS) + b")"
_TIME = rb"([0-9]{2}):([0-9]{2}):([0-9]{2})"

_IMF = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) " + _MONTH + rb" ([0-9]{4}) " + _TIME + rb" GMT",
    re.IGNORECASE,
)
_RFC850 = re.compile(
    rb"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, ([0-9]{2})-" + _MONTH + rb"-([0-9]{2}) "
    + _TIME + rb" GMT",
    re.IGNORECASE,
)  # fmt: skip
_ASCTIME = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) " + _MONTH + rb" ([ 0-9][0-9]) " + _TIME + rb" ([0-9]{4})",
    re.IGNORECASE,
)


def parse_http_date(value: bytes, *, this_year: int = THIS_YEAR) -> float | None:
    """Unix seconds, or None for anything that is no HTTP date.

    A two-digit year that would lie more than 50 years after `this_year` is of the past century.
    """
    return _parse(value, this_year) if len(value) <= LONGEST_BYTES else None


@lru_cache(1024)
def _parse(value: bytes, this_year: int) -> float | None:
    match = _IMF.fullmatch(value)
    if match is not None:
        day, month, year, *clock = match.groups()
        return _seconds(int(year), month, int(day), clock)
    match = _RFC850.fullmatch(value)
    if match is not None:
        day, month, short, *clock = match.groups()
        year_number = this_year - this_year % 100 + int(short)
        if year_number > this_year + 50:
            year_number -= 100
        return _seconds(year_number, month, int(day), clock)
    match = _ASCTIME.fullmatch(value)
    if match is not None:
        month, day, hour, minute, second, year = match.groups()
        return _seconds(int(year), month, int(day), [hour, minute, second])
    return None


def _seconds(year: int, month: bytes, day: int, clock: list[bytes]) -> float | None:
    hour, minute, second = (int(part) for part in clock)
    number = _MONTH_NUMBERS[month.lower()]
    if hour > 23 or minute > 59 or second > 60 or year < 1:
        return None
    if not 1 <= day <= calendar.monthrange(year, number)[1]:
        return None
    return float(calendar.timegm((year, number, day, hour, minute, second)))


@lru_cache(1024)
def _format(second: int) -> bytes:
    parts = time.gmtime(second)
    return b"%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        _DAYS[parts.tm_wday], parts.tm_mday, _MONTHS[parts.tm_mon - 1], parts.tm_year,
        parts.tm_hour, parts.tm_min, parts.tm_sec,
    )  # fmt: skip


def format_http_date(epoch_s: float) -> bytes:
    """Unix seconds as an IMF-fixdate."""
    return _format(int(epoch_s))
