"""What the page on ways to steer traffic says is so: others swing or overload, the balance not."""

from __future__ import annotations

import pytest
from bench.balance.measure import POLICIES, play
from bench.balance.plot import draw
from bench.balance.scenes import SCENES

BY_NAME = {scene.name: scene for scene in SCENES}


@pytest.mark.parametrize("name", ["loss", "crowd"])
def test_others_overload_sites_again_and_again(name: str) -> None:
    played = {policy: play(BY_NAME[name], policy) for policy in POLICIES}
    for policy in ("threshold", "weights by room", "better of two"):
        assert played[policy].late > 1.2
        assert played[policy].swing > 1.0
        assert played[policy].moved > 10 * played["headrace"].moved
        assert played[policy].lost > 10 * played["headrace"].lost
    assert played["headrace"].late < 1.0
    assert played["headrace"].swing < 0.1


def test_the_same_seed_draws_the_same_picture() -> None:
    pictures = {draw("a < b", [play(BY_NAME["step"], "headrace")]) for _ in range(2)}
    assert len(pictures) == 1
    assert "a &lt; b" in pictures.pop()
