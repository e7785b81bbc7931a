"""Signed documents: only who knows the secret is answered, and only for this question."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.node.network.signed import (
    answer_value,
    answers,
    ask_value,
    asked_nonce,
    digest_of,
    new_nonce,
)

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32
TARGET = "/v1/view?after=0,0"


def asked(secrets: tuple[bytes, ...], target: str = TARGET) -> tuple[str, str]:
    nonce = new_nonce()
    return nonce, ask_value(secrets, target, nonce)


def test_who_knows_one_of_the_secrets_is_answered() -> None:
    nonce, value = asked((OLD,))
    assert asked_nonce((NEW, OLD), TARGET.encode(), value.encode()) == nonce.encode()


def test_who_knows_none_is_not() -> None:
    _nonce, value = asked((OTHER,))
    assert asked_nonce((NEW, OLD), TARGET.encode(), value.encode()) is None
    assert asked_nonce((), TARGET.encode(), value.encode()) is None
    assert asked_nonce((NEW,), TARGET.encode(), None) is None


def test_a_question_is_good_for_its_own_target_alone() -> None:
    _nonce, value = asked((NEW,))
    assert asked_nonce((NEW,), b"/v1/observer?from=b", value.encode()) is None


def test_an_answer_is_good_for_its_question_and_its_body_alone() -> None:
    nonce, other = new_nonce(), new_nonce()
    said = answer_value((OLD,), TARGET.encode(), nonce.encode(), digest_of(b"body")).decode()
    assert answers((NEW, OLD), TARGET, nonce, said, b"body")
    assert not answers((NEW, OLD), TARGET, nonce, said, b"b0dy")
    assert not answers((NEW, OLD), TARGET, other, said, b"body")
    assert not answers((NEW, OLD), "/v1/view?after=1,1", nonce, said, b"body")
    assert not answers((OTHER,), TARGET, nonce, said, b"body")


def test_a_question_is_no_answer() -> None:
    nonce, value = asked((NEW,))
    assert not answers((NEW,), TARGET, nonce, value.split()[1], b"")


@given(st.binary(max_size=120))
def test_whatever_stands_in_the_fields_is_refused(junk: bytes) -> None:
    assert asked_nonce((NEW,), TARGET.encode(), junk) is None
    said = junk.decode("utf-8", "surrogateescape")
    assert not answers((NEW,), TARGET, new_nonce(), said, b"")
