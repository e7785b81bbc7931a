"""hls.js in a real browser plays through a black hole and the death of an edge, in a small lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.labs import fresh_lab

# Alone: what plays video next to others stalls.
pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

SCENARIO = """
title = "a black hole, then the death of the edge"
affected = ["oslo1"]
before = "1s"
after = "6s"

[[step]]
do = "black-hole"
on = ["oslo1"]

[[step]]
when = "moved"
do = "heal"
on = ["oslo1"]

[[step]]
when = "home"
do = "kill"
on = ["oslo1"]
program = "edge"

[[step]]
when = "moved"
do = "start"
on = ["oslo1"]
program = "edge"

[load]
every = "100ms"
others = "1s"
downloads = 0
"""


def test_hls_js_plays_on(tmp_path: Path) -> None:
    (tmp_path / "twice.toml").write_text(SCENARIO)
    with fresh_lab() as lab:
        _code, report, said = lab.drill(str(tmp_path / "twice.toml"), "--player", "hls.js")

    (one,) = report.drills
    assert one.errors == [], said
    # The VIP moved, or there was nothing to play through.
    assert all(run.routed_s is not None for run in one.runs)
    for run in one.runs:
        (played,) = run.played
        assert played.player == "hls.js"
        # Nothing failed for good, every segment is what it has to be, and it played to the end.
        assert played.fatal == []
        assert played.damaged == 0
        # Its buffer is of two segments: this was no playing of what it had.
        assert played.since > 2
