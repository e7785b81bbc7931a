"""Reading Cache-Control (RFC 9111 section 5.2) and targeted fields (RFC 9213 section 2.1)."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cache.directives import (
    ANY,
    MOST_SECONDS,
    NO_DIRECTIVES,
    CacheControl,
    parse_cache_control,
    parse_targeted,
)
from tests.unit.cache.values import directive_like, field_values

READ: dict[bytes, CacheControl] = {
    b"max-age=60": CacheControl(max_age=60),
    b"MAX-AGE=60": CacheControl(max_age=60),
    b'max-age="60"': CacheControl(max_age=60),
    b"max-age=0060": CacheControl(max_age=60),
    b" , max-age=60 ,, ": CacheControl(max_age=60),
    b"max-age=1,\ts-maxage=2": CacheControl(max_age=1, s_maxage=2),
    b"no-store, private, public": CacheControl(no_store=True, private=True, public=True),
    b"no-cache": CacheControl(no_cache=True),
    b'no-cache="Set-Cookie, X-A"': CacheControl(no_cache_fields=(b"set-cookie", b"x-a")),
    b"private=x-a": CacheControl(private_fields=(b"x-a",)),
    b'private="a", private="b"': CacheControl(private_fields=(b"a", b"b")),
    b'no-cache, no-cache="a"': CacheControl(no_cache=True, no_cache_fields=(b"a",)),
    b"must-revalidate, proxy-revalidate": CacheControl(must_revalidate=True, proxy_revalidate=True),
    b"must-understand, immutable": CacheControl(must_understand=True, immutable=True),
    b"no-transform, only-if-cached": CacheControl(only_if_cached=True),
    b"stale-while-revalidate=3, stale-if-error=4": CacheControl(
        stale_while_revalidate=3, stale_if_error=4
    ),
    b"max-stale": CacheControl(max_stale=ANY),
    b"max-stale=5, min-fresh=6": CacheControl(max_stale=5, min_fresh=6),
    b'community="a, no-store, b", max-age=1': CacheControl(max_age=1),
}

RESTRICTED: dict[bytes, CacheControl] = {
    # Repeated: the most restrictive.
    b"max-age=60, max-age=10": CacheControl(max_age=10),
    b"max-age=10, max-age=60": CacheControl(max_age=10),
    b"min-fresh=1, min-fresh=9": CacheControl(min_fresh=9),
    b"max-stale, max-stale=3": CacheControl(max_stale=3),
    # Not delta-seconds: stale (section 4.2.1).
    b"max-age": CacheControl(max_age=0),
    b"max-age=": CacheControl(max_age=0),
    b"max-age=-1": CacheControl(max_age=0),
    b"max-age=1.5": CacheControl(max_age=0),
    b"max-age=1s": CacheControl(max_age=0),
    b"max-age='60'": CacheControl(max_age=0),
    b"max-age=\xb2": CacheControl(max_age=0),
    b"s-maxage=x": CacheControl(s_maxage=0),
    b"max-age=60, max-age=x": CacheControl(max_age=0),
    # White space around the sign (RFC 9110 section 5.6.6 has none).
    b"max-age =60": CacheControl(max_age=0),
    b"max-age= 60": CacheControl(max_age=0),
    b"max-age\t=60, s-maxage = 60": CacheControl(max_age=0, s_maxage=0),
    b"no-store =1": CacheControl(no_store=True),
    b'private ="set-cookie"': CacheControl(private=True),
    b'no-cache= "set-cookie"': CacheControl(no_cache=True),
    # A semicolon for a comma, a word too many.
    b"no-store; max-age=60": CacheControl(no_store=True, max_age=0),
    b"private;max-age=60": CacheControl(private=True, max_age=0),
    b"max-age=60; public": CacheControl(max_age=0),
    b"max-age=60 s": CacheControl(max_age=0),
    b"max-age 60": CacheControl(max_age=0),
    b"no store, no-store x": CacheControl(no_store=True),
    b"stale-while-revalidate=5 s": CacheControl(stale_while_revalidate=0),
    # What gives leave must be written as it should be.
    b"public=1, immutable=yes, must-understand=0": CacheControl(),
    b"public; max-age=60": CacheControl(max_age=0),
    b"immutable;": CacheControl(),
    b'no-store, must-understand="x"': CacheControl(no_store=True),
    # An argument where none belongs does not undo a restriction.
    b"no-store=0": CacheControl(no_store=True),
    b'no-store="x"': CacheControl(no_store=True),
    # Field names that cannot be read: all of it.
    b'no-cache=""': CacheControl(no_cache=True),
    b'private="a b"': CacheControl(private=True),
    # A quote that is never closed hides nothing.
    b'max-age=60, x="a, no-store': CacheControl(max_age=60, no_store=True),
    b'private="a, b': CacheControl(private=True),
    b'max-age="60': CacheControl(max_age=0),
    b'x="a, max-age=60, public': CacheControl(max_age=0),
    b'x=a"b, max-age=60, no-store': CacheControl(max_age=0, no_store=True),
    b'"max-age=60"': CacheControl(max_age=0),
    b'x="a\\", max-age=60': CacheControl(max_age=0),
}


@pytest.mark.parametrize("value", READ)
def test_directives_are_read(value: bytes) -> None:
    assert parse_cache_control(value) == READ[value]


@pytest.mark.parametrize("value", RESTRICTED)
def test_doubt_falls_to_the_restrictive_side(value: bytes) -> None:
    assert parse_cache_control(value) == RESTRICTED[value]


@pytest.mark.parametrize("value", [b"", None])
def test_nothing_says_nothing(value: bytes | None) -> None:
    assert parse_cache_control(value) is NO_DIRECTIVES


@pytest.mark.parametrize("value", [b"max-age=" + b"0" * 30 + b"60", b'max-age="6\\0"'])
def test_seconds_may_be_written_at_length(value: bytes) -> None:
    assert parse_cache_control(value).max_age == 60


def test_field_names_are_kept_however_many_directives_name_them() -> None:
    many = b", ".join([b'private="a"'] * 3000)
    assert parse_cache_control(many).private_fields == (b"a",) * 3000


@pytest.mark.parametrize("digits", [b"2147483648", b"2147483649", b"99999999999", b"9" * 5000])
def test_seconds_that_do_not_fit_are_as_good_as_for_ever(digits: bytes) -> None:
    assert parse_cache_control(b"max-age=" + digits).max_age == MOST_SECONDS


TARGETED: dict[bytes, CacheControl] = {
    b"max-age=60": CacheControl(max_age=60),
    b"max-age=60;x=1, public": CacheControl(max_age=60, public=True),
    b"no-store, private": CacheControl(no_store=True, private=True),
    b"no-store=?0, max-age=1": CacheControl(max_age=1),
    b"no-store=?1": CacheControl(no_store=True),
    b"max-age=60, max-age=70": CacheControl(max_age=70),  # a Dictionary keeps the last
    b"max-age=-5": CacheControl(max_age=0),
    b'no-cache="set-cookie"': CacheControl(no_cache_fields=(b"set-cookie",)),
    b"no-cache=7": CacheControl(no_cache=True),
    b"private=(a b)": CacheControl(private=True),
    b"s-maxage=5, x=(a;b=1 :aGk=:), y=1.5": CacheControl(s_maxage=5),
    b'max-age=5, x=@1659578233, y=%"f%c3%bc"': CacheControl(max_age=5),
    # Of the wrong type: absent, unless it only restricts.
    b"max-age=1.5, public": CacheControl(public=True),
    b'max-age="60", public': CacheControl(public=True),
    b"max-age, public": CacheControl(public=True),
    b"no-store=yes": CacheControl(no_store=True),
}

NO_DICTIONARY = [
    b"", b"max-age=", b"max-age=60,", b"max-age=60 public", b"Max-Age=60", b"max-age =60",
    b"max-age= 60", b"max-age=60; X", b'x="a', b"x=(a", b"x=(a,b)", b"x=:a", b"x=\xff", b"=1",
    b'x=%"%C3"', b"x=@1.5", b",", b"max-age=1234567890123456", b"x=1.2345", b"x=?2", b"max-age=60;",
]  # fmt: skip


@pytest.mark.parametrize("value", TARGETED)
def test_a_targeted_field_is_read_as_a_dictionary(value: bytes) -> None:
    assert parse_targeted(value) == TARGETED[value]


@pytest.mark.parametrize("value", NO_DICTIONARY)
def test_a_targeted_field_that_is_no_dictionary_counts_as_absent(value: bytes) -> None:
    assert parse_targeted(value) is None


@given(st.one_of(field_values, directive_like, st.binary(min_size=250, max_size=400)))
def test_whatever_comes_is_read_without_an_error(value: bytes) -> None:
    parse_cache_control(value)
    parse_targeted(value)


@given(directive_like)
def test_what_is_read_of_a_doubtful_field_is_never_more_than_what_it_holds(value: bytes) -> None:
    control = parse_cache_control(value)
    for seconds in (control.max_age, control.s_maxage):
        assert seconds in (None, 0) or str(seconds).encode() in value.replace(b"\\", b"")


@given(directive_like)
def test_no_store_as_an_element_of_its_own_is_never_missed(value: bytes) -> None:
    text = value.replace(b'"', b"").replace(b"\\", b"")
    assert parse_cache_control(text + b",no-store").no_store


directives = st.builds(
    CacheControl,
    max_age=st.none() | st.integers(0, MOST_SECONDS),
    s_maxage=st.none() | st.integers(0, MOST_SECONDS),
    no_store=st.booleans(),
    no_cache=st.booleans(),
    no_cache_fields=st.lists(st.sampled_from([b"set-cookie", b"x-a"]), max_size=2).map(tuple),
    private=st.booleans(),
    public=st.booleans(),
    must_revalidate=st.booleans(),
    must_understand=st.booleans(),
    immutable=st.booleans(),
    stale_while_revalidate=st.none() | st.integers(0, MOST_SECONDS),
    stale_if_error=st.none() | st.integers(0, MOST_SECONDS),
)


def written(control: CacheControl) -> bytes:
    pieces: list[bytes] = []
    for field in dataclasses.fields(control):
        value = getattr(control, field.name)
        name = field.name.replace("_", "-").encode()
        if value is True:
            pieces.append(name)
        elif isinstance(value, tuple) and value:
            pieces.append(name.removesuffix(b"-fields") + b'="' + b", ".join(value) + b'"')
        elif isinstance(value, int) and not isinstance(value, bool):
            pieces.append(b"%s=%d" % (name, value))
    return b", ".join(pieces)


@given(directives)
def test_what_is_written_is_read_back(control: CacheControl) -> None:
    assert parse_cache_control(written(control)) == control


@given(directives.filter(lambda control: not (control.no_cache and control.no_cache_fields)))
def test_a_targeted_field_reads_the_same_words_alike(control: CacheControl) -> None:
    text = written(control)
    assert (parse_targeted(text) or NO_DIRECTIVES) == control
