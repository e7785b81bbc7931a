"""The traces are what they say, and the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest
from bench.eviction.policies import POLICIES, Lru
from bench.eviction.report import report
from bench.eviction.simulation import hit_ratios, run_all
from bench.eviction.traces import (
    MAKERS,
    MANIFEST_BYTES,
    SEGMENT_BYTES,
    Scale,
    Trace,
    make_trace,
)

SCALE = Scale(requests=2_000, titles=200)


def a_trace(name: str, *, seed: int = 1, mixed_sizes: bool = False) -> Trace:
    return make_trace(name, seed=seed, scale=SCALE, mixed_sizes=mixed_sizes)


@pytest.mark.parametrize("name", MAKERS)
def test_a_trace_has_as_many_requests_as_were_asked_for(name: str) -> None:
    assert len(a_trace(name).requests) == SCALE.requests


@pytest.mark.parametrize("name", MAKERS)
def test_a_seed_gives_the_same_trace_again(name: str) -> None:
    assert a_trace(name) == a_trace(name)


@pytest.mark.parametrize("name", MAKERS)
def test_another_seed_gives_another_trace(name: str) -> None:
    assert a_trace(name).requests != a_trace(name, seed=2).requests


@pytest.mark.parametrize("name", MAKERS)
def test_sizes_do_not_change_what_is_asked_for(name: str) -> None:
    assert a_trace(name).requests == a_trace(name, mixed_sizes=True).requests


@pytest.mark.parametrize("name", MAKERS)
def test_mixed_sizes_are_segments_and_manifests(name: str) -> None:
    sizes = a_trace(name, mixed_sizes=True).sizes
    assert set(sizes.values()) == {MANIFEST_BYTES, SEGMENT_BYTES}


def test_a_higher_alpha_concentrates_requests_on_fewer_titles() -> None:
    share_of_the_first = [
        Counter(a_trace(name).requests)[b"title-0"] for name in ("Zipf 0.7", "Zipf 0.9", "Zipf 1.1")
    ]
    assert share_of_the_first == sorted(share_of_the_first)


def test_what_is_scanned_is_asked_for_once() -> None:
    counts = Counter(a_trace("Zipf 0.9 with scans").requests)
    scanned = [count for entry, count in counts.items() if entry.startswith(b"scan-")]
    assert scanned
    assert set(scanned) == {1}


def test_a_live_segment_is_dead_soon_after_it_appeared() -> None:
    trace = make_trace(
        "live and VOD", seed=1, scale=Scale(requests=20_000, titles=200), mixed_sizes=False
    )
    first: dict[bytes, int] = {}
    lives = [
        position - first.setdefault(entry, position)
        for position, entry in enumerate(trace.requests)
        if entry.startswith(b"live-")
    ]
    # 34 s (hot for 30 s, and a segment lasts 4 s) at 100 requests a second
    assert max(lives) <= 3_402


def test_each_phase_of_shifting_popularity_brings_new_titles() -> None:
    requests = a_trace("popularity shift").requests
    before, after = set(requests[:1600]), set(requests[1600:])
    assert any(entry.startswith(b"title-4-") for entry in after)
    assert not any(entry.startswith(b"title-4-") for entry in before)


def test_hit_ratios_count_only_what_comes_after_the_warm_up() -> None:
    trace = Trace("two", [b"a", b"b", b"a", b"b"], {b"a": 100, b"b": 300})
    assert hit_ratios(trace, Lru(400)).requests == 2 / 3


def test_hit_ratios_by_bytes_weigh_each_request_with_its_size() -> None:
    trace = Trace("two", [b"a", b"b", b"a", b"b"], {b"a": 100, b"b": 300})
    assert hit_ratios(trace, Lru(400)).bytes == 400 / 700


def test_the_same_seed_gives_the_same_report() -> None:
    scale = Scale(requests=400, titles=100)
    texts = [
        report(list(run_all(POLICIES, seed=7, scale=scale)), seed=7, scale=scale) for _ in range(2)
    ]
    assert texts[0] == texts[1]
