"""What servers say to each other, and what no one else can say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.http.fields import PEER_FIELD
from headrace.upstream.peering import (
    MOST_TAGS,
    SKEW_S,
    Peer,
    PeerRefusal,
    PeerSecrets,
    PurgeTimes,
    Signed,
    TagPurge,
    Unnameable,
    later,
    sign,
    tag_digest,
    verify,
)

OLD, NEW = b"o" * 32, b"n" * 32
SECRETS = PeerSecrets((NEW, OLD))
NOW = 1_700_000_000.0
TAGS = (TagPurge(tag_digest(b"news"), NOW - 5), TagPurge(7, NOW - 6, soft=True))
ASKER = Peer("edge-1", "london", 2, PurgeTimes(NOW - 60, NOW - 90, TAGS, NOW - 100))


def signed(
    asker: Peer = ASKER, secrets: PeerSecrets = SECRETS, *, method: bytes = b"GET",
    host: bytes = b"vod.example", target: bytes = b"/a?b=1", at: float = NOW,
) -> bytes:  # fmt: skip
    ((name, value),) = sign(secrets, method, host, target, asker, at)
    assert name == PEER_FIELD
    return value


def verified(
    *values: bytes, secrets: PeerSecrets = SECRETS, method: bytes = b"GET",
    host: bytes = b"vod.example", target: bytes = b"/a?b=1", at: float = NOW,
) -> Peer | PeerRefusal:  # fmt: skip
    found = verify(secrets, method, host, target, list(values), at)
    return found.peer if isinstance(found, Signed) else found


def test_what_a_server_signs_another_believes() -> None:
    assert verified(signed()) == ASKER


def test_a_secret_is_replaced_without_a_gap() -> None:
    before, both, after = PeerSecrets((OLD,)), PeerSecrets((NEW, OLD)), PeerSecrets((NEW,))
    for signer, verifier in ((before, both), (both, both), (after, both), (both, after)):
        assert verified(signed(secrets=signer), secrets=verifier) == ASKER
    assert verified(signed(secrets=before), secrets=after) is PeerRefusal.SIGNATURE


def test_a_signature_is_good_for_one_method_host_and_target() -> None:
    value = signed()
    assert verified(value, method=b"HEAD") is PeerRefusal.SIGNATURE
    assert verified(value, host=b"other.example") is PeerRefusal.SIGNATURE
    assert verified(value, target=b"/a?b=2") is PeerRefusal.SIGNATURE
    assert verified(value, host=b"VOD.example") == ASKER


def test_no_two_requests_are_signed_by_the_same_bytes() -> None:
    assert verified(signed(host=b"ab", target=b"/c"), host=b"a", target=b"b/c") is (
        PeerRefusal.SIGNATURE
    )


def test_the_scheme_that_a_client_asks_by_is_signed_too() -> None:
    secure = signed(Peer("edge-1", "london", secure=True))
    assert verified(secure) == Peer("edge-1", "london", secure=True)
    assert verified(secure.replace(b" https ", b" http ")) is PeerRefusal.SIGNATURE


@given(st.integers(0, 200), st.binary(min_size=1, max_size=1))
def test_no_byte_of_it_can_be_changed(at: int, byte: bytes) -> None:
    value = signed()
    changed = value[: at % len(value)] + byte + value[at % len(value) + 1 :]
    assert (
        verified(changed) == ASKER if changed == value else not isinstance(verified(changed), Peer)
    )


@given(st.integers(0, 200))
def test_none_of_its_beginnings_is_believed(length: int) -> None:
    value = signed()
    if length < len(value):
        assert verified(value[:length]) is PeerRefusal.MALFORMED


@given(st.lists(st.binary(max_size=400), max_size=3))
def test_whatever_a_client_writes_is_refused(values: list[bytes]) -> None:
    assert isinstance(verified(*values), PeerRefusal)


def test_two_copies_are_refused_even_if_both_are_good() -> None:
    assert verified(signed(), signed()) is PeerRefusal.MALFORMED


def test_a_request_is_not_believed_later() -> None:
    value = signed()
    assert isinstance(verified(value, at=NOW + SKEW_S), Peer)
    assert isinstance(verified(value, at=NOW - SKEW_S), Peer)
    assert verified(value, at=NOW + SKEW_S + 1) is PeerRefusal.CLOCK
    assert verified(value, at=NOW - SKEW_S - 1) is PeerRefusal.CLOCK


def test_when_it_was_signed_is_part_of_it() -> None:
    found = verify(SECRETS, b"GET", b"vod.example", b"/a?b=1", [signed()], NOW + 5)
    assert isinstance(found, Signed)
    assert found.at == NOW


def test_times_of_another_clock_are_moved_but_never_to_the_future() -> None:
    times = PurgeTimes(NOW - 9, 0.0, (TagPurge(1, NOW - 1),), NOW - 4)
    assert later(times, 5, NOW) == PurgeTimes(NOW - 4, 0.0, (TagPurge(1, NOW),), NOW)
    assert later(times, -5, NOW) == PurgeTimes(NOW - 14, 0.0, (TagPurge(1, NOW - 6),), NOW - 9)


def test_a_purge_that_another_clock_dated_in_the_future_was_made_by_now() -> None:
    times = PurgeTimes(NOW + 20, NOW + 10, (TagPurge(1, NOW + 5),), NOW + 1)
    found = verified(signed(Peer("edge-1", "london", 1, times)))
    assert found == Peer("edge-1", "london", 1, PurgeTimes(NOW, NOW, (TagPurge(1, NOW),), NOW))


@given(st.floats(0, 0.01))
def test_a_purge_is_never_told_of_as_earlier_than_it_was(ago_s: float) -> None:
    made = NOW - ago_s
    found = verified(signed(Peer("edge-1", "london", 1, PurgeTimes(made, made, (), made))))
    assert isinstance(found, Peer)
    for moment in (found.purges.not_before, found.purges.stale_before, found.purges.tagged_before):
        assert made <= moment + 1e-6 <= made + 0.002


def test_more_tags_than_can_be_named_are_named_together() -> None:
    tags = tuple(TagPurge(number, NOW - 10 - number) for number in range(MOST_TAGS + 2))
    found = verified(signed(Peer("edge-1", "london", 1, PurgeTimes(tags=tags))))
    assert isinstance(found, Peer)
    assert found.purges.tags == tags[:MOST_TAGS]
    assert found.purges.tagged_before == tags[MOST_TAGS].before


def test_the_longest_is_short_enough() -> None:
    tags = tuple(TagPurge(2**32 - 1, NOW, soft=True) for _ in range(MOST_TAGS))
    asker = Peer("n" * 64, "s" * 64, 99, PurgeTimes(NOW, NOW, tags, NOW))
    assert verified(signed(asker)) == asker


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "ä", "a" * 65, "-a"])
def test_a_name_that_could_be_read_as_something_else_is_not_signed(name: str) -> None:
    with pytest.raises(Unnameable):
        signed(Peer(name, "london"))
    with pytest.raises(Unnameable):
        signed(Peer("edge-1", name))


def test_without_secrets_no_one_is_believed() -> None:
    assert verified(signed(), secrets=PeerSecrets()) is PeerRefusal.SIGNATURE


def test_secrets_are_not_shown() -> None:
    assert "nnnn" not in repr(SECRETS)
