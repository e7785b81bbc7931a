"""A table of caching behaviours: what a second request gets after a first response.

The questions are those that the public test suites for HTTP caches ask (RFC 9111, RFC 9213), put
in our own words; `DELIBERATE` holds those that we answer otherwise than a bare reading would, and
why is in docs/decisions/0005-caching-policy.md.
"""

from __future__ import annotations

import pytest

from headrace.cache.reuse import decide_reuse
from headrace.http.message import Field, Headers, Request, ResponseHead
from tests.unit.cache.values import (
    DAY_S,
    NOW,
    RULES,
    date,
    fields,
    request,
    response,
    stored_from,
    storing,
)

LATER_S = 3.0
HOUR = "max-age=3600"
FRESH, VALIDATE, MISS = "fresh", "validate", "miss"


def second(answer: ResponseHead, then: Request | None = None) -> str:
    """What a request 3 s later finds."""
    decision = storing(answer)
    if not decision.store:
        return MISS
    asked = request() if then is None else then
    return decide_reuse(asked, stored_from(answer), RULES, NOW + LATER_S).action.value


def lines(*pairs: tuple[str, str | bytes], status: int = 200) -> ResponseHead:
    """A response with these field lines, one name perhaps several times."""
    made: list[Field] = [
        (name.encode(), value.encode() if isinstance(value, str) else value)
        for name, value in pairs
    ]
    return ResponseHead(status, Headers(made))


def cc(value: str, **named: str | bytes) -> ResponseHead:
    return tagged(cache_control=value, **named)


def cdn(value: str, **named: str | bytes) -> ResponseHead:
    return tagged(cdn_cache_control=value, **named)


def expires(value: str | bytes, **named: str | bytes) -> ResponseHead:
    return tagged(expires=value, **named)


def tagged(**named: str | bytes) -> ResponseHead:
    return ResponseHead(200, Headers(fields(etag='"a"', **named)))


FRESHNESS: dict[str, tuple[ResponseHead, str]] = {
    "nothing is said": (response(), MISS),
    "an hour": (cc(HOUR), FRESH),
    "any case of letters": (cc("MaX-aGe=3600"), FRESH),
    "zeros in front": (cc("max-age=003600"), FRESH),
    "quoted": (cc('max-age="3600"'), FRESH),
    "in single quotes": (cc("max-age='3600'"), VALIDATE),
    "nought": (cc("max-age=0"), VALIDATE),
    "nought though Expires is far": (cc("max-age=0", expires=date(DAY_S), date=date()), VALIDATE),
    "an hour though Expires is past": (cc(HOUR, expires=date(-DAY_S), date=date()), FRESH),
    "an hour though Expires is nonsense": (cc(HOUR, expires="0", date=date()), FRESH),
    "as much as fits": (cc("max-age=2147483648"), FRESH),
    "more than fits": (cc("max-age=99999999999"), FRESH),
    "less than nothing": (cc("max-age=-3600"), VALIDATE),
    "a letter in front": (cc("max-age=a3600"), VALIDATE),
    "a letter behind": (cc("max-age=3600a"), VALIDATE),
    "a fraction": (cc("max-age=3600.5"), VALIDATE),
    "a point and nought": (cc("max-age=3600.0"), VALIDATE),
    "a plus": (cc("max-age=+3600"), VALIDATE),
    "a space before the sign": (cc("max-age =3600"), VALIDATE),
    "a space behind the sign": (cc("max-age= 3600"), VALIDATE),
    "an extension beside it": (cc("foobar, max-age=3600"), FRESH),
    "an extension with an argument": (cc('foo="a, b", max-age=3600'), FRESH),
    "a string that holds more, in front": (cc('ext="max-age=3600", max-age=1'), VALIDATE),
    "a string that holds more, behind": (cc('max-age=1, ext="max-age=3600"'), VALIDATE),
    "a string that holds no-store": (cc('ext="no-store", max-age=3600'), FRESH),
    "s-maxage is longer": (cc("max-age=1, s-maxage=3600"), FRESH),
    "s-maxage is shorter": (cc("max-age=3600, s-maxage=1"), VALIDATE),
    "s-maxage is shorter, in front": (cc("s-maxage=1, max-age=3600"), VALIDATE),
    "twice, the short one behind": (cc("max-age=3600, max-age=1"), VALIDATE),
    "twice, the short one in front": (cc("max-age=1, max-age=3600"), VALIDATE),
    "in two lines": (
        lines(("cache-control", HOUR), ("cache-control", "max-age=1"), ("etag", '"a"')),
        VALIDATE,
    ),
    "a line that begins a string and one that ends it": (
        lines(("cache-control", 'x="a'), ("cache-control", 'no-store, max-age=3600"')),
        MISS,
    ),
}

AGES: dict[str, tuple[ResponseHead, str]] = {
    "older than its hour": (cc(HOUR, age="7200"), VALIDATE),
    "older by its Date": (cc(HOUR, date=date(-7200)), VALIDATE),
    "no number": (cc(HOUR, age="abc"), FRESH),
    "less than nothing": (cc(HOUR, age="-7200"), FRESH),
    "a fraction": (cc(HOUR, age="7200.0"), FRESH),
    "two, the first counts": (cc(HOUR, age="7200, 0"), VALIDATE),
    "two, the first is nought": (cc(HOUR, age="0, 7200"), FRESH),
    "two lines": (
        lines(("cache-control", HOUR), ("age", "7200"), ("age", "0"), ("etag", '"a"')),
        VALIDATE,
    ),
    "more than fits": (cc(HOUR, age="9" * 30), VALIDATE),
    "a Date of next year": (cc(HOUR, date=date(365 * DAY_S)), FRESH),
    "a Date of 1970": (cc(HOUR, date="Thu, 01 Jan 1970 00:00:00 GMT"), VALIDATE),
    "a Date that is none": (cc(HOUR, date="soon"), FRESH),
}

EXPIRES: dict[str, tuple[ResponseHead, str]] = {
    "tomorrow": (expires(date(DAY_S), date=date()), FRESH),
    "yesterday": (expires(date(-DAY_S), date=date()), VALIDATE),
    "now": (expires(date(), date=date()), VALIDATE),
    "nought": (expires("0", date=date()), VALIDATE),
    "counts from Date": (expires(date(DAY_S), date=date(DAY_S)), VALIDATE),
    "an old Date makes the age too": (expires(date(-9), date=date(-DAY_S)), VALIDATE),
    "the weekday in capitals": (expires("THU, 18 Aug 2050 02:01:18 GMT"), FRESH),
    "the month in capitals": (expires("Thu, 18 AUG 2050 02:01:18 GMT"), FRESH),
    "the zone in small letters": (expires("Thu, 18 Aug 2050 02:01:18 gmt"), FRESH),
    "another zone": (expires("Thu, 18 Aug 2050 02:01:18 UTC"), VALIDATE),
    "a short year": (expires("Thu, 18 Aug 50 02:01:18 GMT"), VALIDATE),
    "no comma": (expires("Thu 18 Aug 2050 02:01:18 GMT"), VALIDATE),
    "two spaces": (expires("Thu, 18  Aug  2050 02:01:18 GMT"), VALIDATE),
    "dashes": (expires("Thu, 18-Aug-2050 02:01:18 GMT"), VALIDATE),
    "points in the time": (expires("Thu, 18 Aug 2050 02.01.18 GMT"), VALIDATE),
    "one digit of an hour": (expires("Thu, 18 Aug 2050 2:01:18 GMT"), VALIDATE),
    "as asctime writes it": (expires("Thu Aug 18 02:01:18 2050"), FRESH),
    "as RFC 850 writes it": (expires("Thursday, 18-Aug-50 02:01:18 GMT"), FRESH),
    "an unreadable Date counts as now": (expires(date(DAY_S), date="x"), FRESH),
}

DIRECTIVES: dict[str, tuple[ResponseHead, str]] = {
    "private": (cc("private, max-age=3600"), MISS),
    "no-store": (cc("no-store"), MISS),
    "no-store in any letters, beside all else": (
        cc("max-age=9999, No-StOrE, public", expires=date(DAY_S)),
        MISS,
    ),
    "no-cache": (cc("no-cache"), VALIDATE),
    "no-cache beside an hour": (cc("max-age=3600, No-CaChE"), VALIDATE),
    "no-cache without a validator": (response(cache_control="no-cache, max-age=3600"), MISS),
    "no-cache of a field": (cc('no-cache="x", max-age=3600'), FRESH),
    "private of a field": (cc('private="x", max-age=3600'), FRESH),
    "private of no readable field": (cc('private="x y", max-age=3600'), MISS),
    "must-revalidate while fresh": (cc("must-revalidate, max-age=3600"), FRESH),
    "must-revalidate when stale": (cc("must-revalidate, max-age=1"), VALIDATE),
    "must-understand and no-store, understood": (cc("must-understand, no-store, max-age=9"), FRESH),
    "must-understand, not understood": (
        response(299, cache_control="must-understand, max-age=3600"),
        MISS,
    ),
    "stale while it is renewed": (
        cc("max-age=1, stale-while-revalidate=60"),
        "stale-while-revalidate",
    ),
    "its window is over": (cc("max-age=1, stale-while-revalidate=1"), VALIDATE),
    "its window is no number": (cc("max-age=1, stale-while-revalidate=x"), VALIDATE),
    "Pragma in a response says nothing beside a lifetime": (cc(HOUR, pragma="no-cache"), FRESH),
    "Pragma in a response forbids a guess": (
        response(pragma="no-cache", last_modified=date(-DAY_S)),
        MISS,
    ),
    "Warning says nothing": (cc(HOUR, warning='110 - "stale"'), FRESH),
    "Surrogate-Control is nobody's": (cc("max-age=1", surrogate_control=HOUR), VALIDATE),
    "Content-Disposition plays no part": (cc(HOUR, content_disposition="attachment"), FRESH),
    "Cache-Control that Connection names still forbids": (
        lines(("connection", "cache-control"), ("cache-control", "no-store, max-age=3600")),
        MISS,
    ),
}

TARGETED: dict[str, tuple[ResponseHead, str]] = {
    "an hour": (cdn(HOUR), FRESH),
    "more than fits": (cdn("max-age=99999999999"), FRESH),
    "older than that": (cdn(HOUR, age="7200"), VALIDATE),
    "nought": (cdn("max-age=0", expires=date(DAY_S)), VALIDATE),
    "Expires is past": (cdn(HOUR, expires=date(-DAY_S), date=date()), FRESH),
    "Cache-Control is shorter": (cdn(HOUR, cache_control="max-age=1"), FRESH),
    "Cache-Control is longer": (cdn("max-age=1", cache_control=HOUR), VALIDATE),
    "private": (cdn("private", cache_control=HOUR, expires=date(DAY_S)), MISS),
    "no-store": (cdn("no-store", cache_control=HOUR), MISS),
    "no-cache": (cdn("no-cache", cache_control=HOUR), VALIDATE),
    "Cache-Control says no-store": (cdn(HOUR, cache_control="no-store"), FRESH),
    "a space before the sign": (cdn("max-age =3600", cache_control="max-age=1"), VALIDATE),
    "a space behind the sign": (cdn("max-age= 3600", cache_control="max-age=1"), VALIDATE),
    "no Structured Field": (cdn("max-age=3600, &&&", cache_control="no-store"), MISS),
    "a String for a number": (cdn('max-age="3600"', cache_control="no-store"), MISS),
    "letters in capitals": (cdn("MaX-aGe=3600", cache_control="max-age=1"), VALIDATE),
    "an extension": (cdn("foobar, max-age=3600"), FRESH),
    "parameters": (cdn("max-age=3600;a=1;b"), FRESH),
    "empty": (cdn("", cache_control=HOUR), FRESH),
    "two lines": (
        lines(("cdn-cache-control", HOUR), ("cdn-cache-control", "private"), ("etag", '"a"')),
        MISS,
    ),
}

VARY: dict[str, tuple[ResponseHead, str]] = {
    value or "empty": (cc(HOUR, vary=value), found)
    for value, found in {
        "": FRESH, "*": MISS, "*, *": MISS, ", *": MISS, "*, Foo": MISS, "Foo, *": MISS,
        '"*"': MISS, "a b": MISS, "Foo": FRESH, ",Foo,,": FRESH,
        ", ".join(f"f{n}" for n in range(32)): FRESH,
        ", ".join(f"f{n}" for n in range(33)): MISS,
        ", ".join(["foo"] * 5000): FRESH,
    }.items()
}  # fmt: skip

STATUSES: dict[str, tuple[ResponseHead, str]] = {
    **{
        f"{status} with an hour": (response(status, cache_control=HOUR), FRESH)
        for status in (200, 201, 202, 203, 204, 299, 300, 301, 302, 303, 307, 308, 404, 410, 500,
                       502, 503, 504)
    },
    **{
        f"{status} by Last-Modified": (response(status, last_modified=date(-DAY_S)), found)
        for status, found in {
            200: FRESH, 203: FRESH, 204: FRESH, 300: FRESH, 301: FRESH, 308: FRESH,
            201: MISS, 202: MISS, 302: MISS, 303: MISS, 307: MISS, 403: MISS, 502: MISS, 503: MISS,
        }.items()
    },
    "201 by Last-Modified, public": (
        response(201, last_modified=date(-DAY_S), cache_control="public"), FRESH,
    ),
    "a 206 is never stored as such": (response(206, cache_control=HOUR), MISS),
}  # fmt: skip

# Where the standard would allow more than we do, or a test suite asks for it.
DELIBERATE: dict[str, tuple[ResponseHead, str]] = {
    **{
        f"{status} is never guessed": (response(status, last_modified=date(-DAY_S)), MISS)
        for status in (405, 414, 501)
    },
    **{
        f"{status} is not stored unlisted": (response(status, cache_control=HOUR), MISS)
        for status in (400, 405, 414, 499, 501, 599)
    },
    "599 is not guessed, public or not": (
        response(599, last_modified=date(-DAY_S), cache_control="public"), MISS,
    ),
    "404 has its second, not a guess": (
        response(404, last_modified=date(-DAY_S), etag='"a"'), VALIDATE,
    ),
    "Set-Cookie makes it its client's own": (cc(HOUR, set_cookie="a=b"), MISS),
    "so does the obsolete Set-Cookie2": (cc(HOUR, set_cookie2="a=b"), MISS),
}  # fmt: skip

TABLES = {
    "freshness": FRESHNESS, "age": AGES, "expires": EXPIRES, "directives": DIRECTIVES,
    "targeted": TARGETED, "vary": VARY, "status": STATUSES, "deliberate": DELIBERATE,
}  # fmt: skip
CASES = [
    pytest.param(*case, id=f"{table}: {name[:60]}")
    for table, cases in TABLES.items()
    for name, case in cases.items()
]


@pytest.mark.parametrize(("answer", "found"), CASES)
def test_what_a_second_request_gets(answer: ResponseHead, found: str) -> None:
    assert second(answer) == found


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("test-header", "1", True), ("content-type", "text/plain", True),
        ("x-frame-options", "deny", True), ("clear-service-data", '"cookies"', True),
        ("www-authenticate", "Basic", True), ("strict-transport-security", "max-age=1", True),
        ("connection", "close", False), ("keep-alive", "1", False), ("te", "trailers", False),
        ("proxy-authenticate", "Basic", False), ("proxy-authentication-info", "x", False),
        ("proxy-authorization", "x", False), ("proxy-connection", "close", False),
        ("transfer-encoding", "chunked", False), ("upgrade", "h2c", False), ("trailer", "x", False),
    ],
)  # fmt: skip
def test_which_fields_are_stored(name: str, value: str, kept: bool) -> None:
    decision = storing(lines(("cache-control", HOUR), (name, value)))
    assert (name.encode() in Headers(decision.headers)) is kept


@pytest.mark.parametrize(
    "names",
    [
        fields(connection="a, B"), fields(cache_control='no-cache="a, B"'),
        fields(cache_control='private="a", private="b"'),
    ],
)  # fmt: skip
def test_fields_that_are_named_are_left_out(names: tuple[Field, ...]) -> None:
    rest = fields(cache_control=HOUR, a="1", b="2", c="3")
    kept = Headers(storing(ResponseHead(200, Headers((*names, *rest)))).headers)
    assert [name in kept for name in (b"a", b"b", b"c", b"connection")] == [
        False, False, True, False,
    ]  # fmt: skip


def test_a_date_that_connection_names_is_replaced_by_that_of_arrival() -> None:
    kept = storing(cc(HOUR, connection="date", date=date(-5))).headers
    assert Headers(kept).get(b"date") == date()
