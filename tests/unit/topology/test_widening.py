"""On how many servers popular shards are held."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from headrace.topology.model import ContentClass, Widening
from headrace.topology.widening import usual_width, widen, widest, width_in_site

RULES = Widening(above=0.25, below=0.1)
VOD = ContentClass("vod", widening=RULES)


def after(width: int, share: float, servers: int = 10, content: ContentClass = VOD) -> int:
    """Return the width that follows from a width and a demand."""
    found = widen({"vod": {"a": width}}, {"vod": {"a": share}}, [content], servers)
    return found.get("vod", {}).get("a", content.replicas)


def test_a_shard_is_as_wide_as_it_must_at_once() -> None:
    assert after(1, 0.02) == 1
    assert after(1, 0.026) == 2
    assert after(1, 0.1) == 4
    assert after(1, 0.9) == 10


def test_it_becomes_narrower_step_by_step_and_only_well_below() -> None:
    assert after(4, 0.045) == 4
    assert after(4, 0.039) == 2
    assert after(8, 0.0) == 4
    assert after(10, 0.0) == 8
    assert after(1, 0.0) == 1


def test_it_is_never_wider_than_it_may_nor_narrower_than_its_replicas() -> None:
    most = replace(VOD, widening=replace(RULES, most=3))
    assert after(1, 0.9, content=most) == 3
    pairs = replace(VOD, replicas=2)
    assert after(2, 0.06, content=pairs) == 4
    assert after(4, 0.0, content=pairs) == 2


def test_classes_without_widening_and_unknown_ones_have_no_widths() -> None:
    demand = {"vod": {"a": 0.9}, "unknown": {"a": 0.9}}
    assert widen({}, demand, [ContentClass("vod")], 10) == {}


@given(
    st.integers(0, 6),
    st.floats(0, 1),
    st.integers(1, 1000),
    st.floats(0.01, 2),
    st.floats(0, 1),
    st.integers(1, 4),
)
def test_it_comes_to_rest_and_within_what_is_reserved(
    doublings: int, share: float, servers: int, above: float, below: float, replicas: int
) -> None:
    content = ContentClass("vod", replicas=replicas, widening=Widening(above, below * above / 2))
    seen = [replicas << doublings]
    for _ in range(20):
        seen.append(after(seen[-1], share, servers, content))
    assert seen[-1] == seen[-2]
    if replicas <= servers:
        usual = usual_width(content, share, servers)
        assert usual <= seen[-1] <= max(widest(content, share, servers), usual)


def test_a_smaller_site_holds_it_on_proportionately_fewer() -> None:
    assert width_in_site(8, 50, 100) == 4
    assert width_in_site(1, 2, 100) == 1
    assert width_in_site(3, 50, 100) == 2
    assert width_in_site(500, 3, 100) == 3
