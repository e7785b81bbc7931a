"""Who is wrong is said by most of those that answer, and by nobody else."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from headrace.feedback.observe.agreement import LEAST_ANSWERS, Agreement

SERVERS = st.sampled_from([f"n{number}" for number in range(8)])
SAID = st.lists(st.tuples(SERVERS, st.none() | st.sampled_from([b"a", b"b", b"c"])), max_size=60)


@given(SAID)
def test_a_server_is_wrong_only_against_more_than_half(
    said: list[tuple[str, bytes | None]],
) -> None:
    agreement = Agreement()
    known: dict[str, bytes] = {}
    for server, body in said:
        if body is None:
            agreement.forget(server)
            known.pop(server, None)
            continue
        right = agreement.is_right(server, body)
        known[server] = body
        others = Counter(known.values())
        agreed = [one for one, count in others.items() if count * 2 > len(known)]
        assert right == (len(known) < LEAST_ANSWERS or not agreed or agreed == [body])


def test_servers_that_are_gone_have_no_say() -> None:
    agreement = Agreement()
    for server in ("n1", "n2", "n3"):
        assert agreement.is_right(server, b"old")
    assert not agreement.is_right("n4", b"new")
    agreement.keep_only(["n3", "n4"])
    assert agreement.is_right("n4", b"new")
