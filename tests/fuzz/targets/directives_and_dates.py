"""Cache-Control and dates: no value raises, and nothing hides or loosens a directive.

The input is a directive to add, then the field's value (which is read as a date too).
"""

from __future__ import annotations

import datetime
import email.utils
import re

from headrace.cache.directives import MOST_SECONDS, parse_cache_control, parse_targeted
from headrace.http.dates import format_http_date, parse_http_date
from tests.fuzz.inputs import Bytes

WORDS = (
    b"max-age=", b"s-maxage=", b"no-store", b"no-cache", b"private", b"stale-while-revalidate=",
    b'"', b"=", b", ", b";", b"?1", b"()", b"99999999999999999999", b"\\", b" GMT", b"Sun, ",
    b"Sunday, ", b"-Feb-", b" Feb ",
)  # fmt: skip

_FLAGS = {
    b"no-store": "no_store",
    b"no-cache": "no_cache",
    b"private": "private",
    b"must-revalidate": "must_revalidate",
    b"proxy-revalidate": "proxy_revalidate",
}
_SECONDS = ("max_age", "s_maxage", "stale_while_revalidate", "stale_if_error", "max_stale",
            "min_fresh")  # fmt: skip


def check(data: bytes) -> None:
    """Read the value alone, and with a directive before and behind it."""
    source = Bytes(data)
    flag = source.choice(sorted(_FLAGS))
    age = source.number(65535)
    value = source.rest()
    found = parse_cache_control(value)
    targeted = parse_targeted(value)
    for read in (found, targeted):
        for name in _SECONDS if read is not None else ():
            seconds = getattr(read, name)
            assert seconds is None or 0 <= seconds <= MOST_SECONDS, (name, seconds)
    for text in (flag + b", " + value, value + b", " + flag):
        with_flag = parse_cache_control(text)
        # In a quoted string, or in one that is never closed, it is no directive.
        if text.startswith(flag) or value.count(b'"') != 1:
            assert getattr(with_flag, _FLAGS[flag]) or _ends_inside_quotes(value), text
    shorter = parse_cache_control(b"max-age=%d, " % age + value)
    assert shorter.max_age is not None
    assert shorter.max_age <= age
    _check_date(value)


def _ends_inside_quotes(value: bytes) -> bool:
    return b'"' in value


def _check_date(value: bytes) -> None:
    found = parse_http_date(value, this_year=2026)
    if found is None:
        imf = re.fullmatch(
            rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct"
            rb"|Nov|Dec) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-5][0-9] GMT", value,
        )  # fmt: skip
        if imf:
            try:
                email.utils.parsedate_to_datetime(value.decode())
            except ValueError:
                return
            raise AssertionError(f"a good date is not read: {value!r}")
        return
    again = format_http_date(found)
    assert parse_http_date(again, this_year=2026) == found
    by_library = email.utils.parsedate_to_datetime(again.decode())
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert (by_library - epoch).total_seconds() == found
