"""Which secrets and keys of session tickets there are, over time and between servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.config.ticket_secrets import ALWAYS, PERIOD_S, TicketSecret, needed, period_at
from headrace.http.server.ticket_keys import KEY_BYTES, NAME_BYTES
from headrace.node.tickets.periods import OwnSecrets, SharedSecrets, key_of, secrets_at

NOW = 1_790_000_000.0
TICKET_LIFE_S = 7200.0
FIRST = TicketSecret(ALWAYS, b"1" * 32)

times = st.floats(NOW, NOW + 40 * PERIOD_S)
skews = st.floats(-PERIOD_S, PERIOD_S)
files = st.lists(
    st.builds(TicketSecret, st.floats(NOW, NOW + 40 * PERIOD_S), st.binary(min_size=32)),
    max_size=4,
    unique_by=lambda one: one.begins,
).map(lambda later: (FIRST, *sorted(later, key=lambda one: one.begins)))


def test_a_period_is_longer_than_a_ticket_lives() -> None:
    assert PERIOD_S >= TICKET_LIFE_S


@given(files, times, st.floats(0, TICKET_LIFE_S))
def test_a_ticket_is_opened_as_long_as_it_lives(
    file: tuple[TicketSecret, ...], sealed: float, age_s: float
) -> None:
    shared = SharedSecrets(file)
    assert secrets_at(sealed, shared)[0] in secrets_at(sealed + age_s, shared)


@given(files, times, skews)
def test_clocks_may_differ_by_a_period(
    file: tuple[TicketSecret, ...], now: float, skew_s: float
) -> None:
    shared = SharedSecrets(file)
    assert secrets_at(now + skew_s, shared)[0] in secrets_at(now, shared)


@given(files, times)
def test_what_is_not_needed_changes_nothing(file: tuple[TicketSecret, ...], now: float) -> None:
    kept = needed(file, now)
    for later in range(3):
        at = now + later * PERIOD_S
        assert secrets_at(at, SharedSecrets(kept)) == secrets_at(at, SharedSecrets(file))


@given(files, times)
def test_each_period_has_secrets_of_its_own(file: tuple[TicketSecret, ...], now: float) -> None:
    found = secrets_at(now, SharedSecrets(file))
    assert len(set(found)) == 3


def test_a_secret_to_come_is_known_before_and_the_one_before_stays() -> None:
    begins = (period_at(NOW) + 1) * float(PERIOD_S)
    before, after = SharedSecrets([FIRST]), SharedSecrets([FIRST, TicketSecret(begins, b"2" * 32)])
    assert secrets_at(NOW, before)[:2] == secrets_at(NOW, after)[:2]
    assert secrets_at(NOW, after)[2] == secrets_at(begins, after)[0]
    assert secrets_at(NOW, before)[0] in secrets_at(begins, after)
    assert secrets_at(begins, before)[0] not in secrets_at(begins, after)


def test_other_secrets_share_nothing() -> None:
    theirs = SharedSecrets([TicketSecret(ALWAYS, b"2" * 32)])
    assert not set(secrets_at(NOW, SharedSecrets([FIRST]))) & set(secrets_at(NOW, theirs))


def test_without_a_secret_in_force_there_is_none() -> None:
    assert secrets_at(NOW, SharedSecrets([TicketSecret(NOW + PERIOD_S, b"2" * 32)])) == ()


def test_own_secrets_last_as_long_as_they_open_something() -> None:
    own = OwnSecrets()
    first = secrets_at(NOW, own)
    own.forget(NOW)
    assert secrets_at(NOW, own) == first
    own.forget(NOW + PERIOD_S)
    assert secrets_at(NOW + PERIOD_S, own)[:2] == (first[2], first[0])
    own.forget(NOW + 2 * PERIOD_S)
    assert first[0] not in secrets_at(NOW + 2 * PERIOD_S, own)
    own.forget(NOW)
    assert secrets_at(NOW, own)[0] != first[0]


def test_each_node_has_its_own() -> None:
    assert not set(secrets_at(NOW, OwnSecrets())) & set(secrets_at(NOW, OwnSecrets()))


@pytest.mark.parametrize("other", [(b"s" * 32, b"another"), (b"t" * 32, b"certificate")])
def test_a_key_is_one_certificates_in_one_period(other: tuple[bytes, bytes]) -> None:
    key = key_of(b"s" * 32, b"certificate")
    assert key == key_of(b"s" * 32, b"certificate")
    assert len(key) == KEY_BYTES
    assert key[:NAME_BYTES] != key_of(*other)[:NAME_BYTES]
    assert key[NAME_BYTES:] != key_of(*other)[NAME_BYTES:]
