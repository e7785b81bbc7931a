"""Heavy shards: shares of their classes that are never more than the whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.telemetry.load_report import MOST_SHARDS, SHARD_LETTERS
from headrace.telemetry.shard_sample import LEAST_SHARE, WINDOW_S, ShardCounts, ShardSample, shares

ADDED = st.lists(
    st.tuples(
        st.sampled_from(["vod", "live"]),
        st.binary(max_size=600),
        st.integers(0, 10**9),
        st.floats(0, 100),
    ),
    max_size=60,
)


@given(st.lists(ADDED, max_size=3))
def test_shares_are_within_bounds_whatever_is_asked_for(
    workers: list[list[tuple[str, bytes, int, float]]],
) -> None:
    parts = []
    for added in workers:
        sample = ShardSample()
        for content, shard, amount, now_s in sorted(added, key=lambda one: one[3]):
            sample.add(content, shard, amount, now_s)
        parts.append(sample.counts(100.0))
    found = shares(parts)
    assert sum(map(len, found.values())) <= MOST_SHARDS
    for by_shard in found.values():
        assert sum(by_shard.values()) <= 1.0001
        assert all(LEAST_SHARE <= share <= 1 for share in by_shard.values())
        assert all(len(shard) <= SHARD_LETTERS for shard in by_shard)


def test_workers_are_weighed_by_what_they_saw() -> None:
    one, other = ShardSample(), ShardSample()
    one.add("vod", b"final", 300, 1.0)
    one.add("vod", b"rest", 100, 1.0)
    other.add("vod", b"final", 100, 1.0)
    other.add("live", b"\xe9", 7, 1.0)
    found = shares([one.counts(2.0), other.counts(2.0)])
    assert found == {"vod": {"final": 0.8, "rest": 0.2}, "live": {"\xe9": 1.0}}


def test_what_was_long_ago_is_forgotten() -> None:
    sample = ShardSample()
    sample.add("vod", b"old", 10, 0.0)
    sample.add("vod", b"new", 10, WINDOW_S + 1)
    assert set(shares([sample.counts(WINDOW_S + 2)])["vod"]) == {"old", "new"}
    sample.add("vod", b"newest", 10, 2 * WINDOW_S + 2)
    assert set(shares([sample.counts(2 * WINDOW_S + 3)])["vod"]) == {"new", "newest"}
    assert sample.counts(10 * WINDOW_S) == ShardCounts()
