"""What players saw in several runs as rows, and as tables."""

from __future__ import annotations

from typing import Any

from headrace.config.drill.model import ExpectTable
from headrace.lab.drill.players.played import Played
from headrace.lab.drill.players_table import player_line, players_rows
from headrace.lab.drill.summary import summarize
from headrace.lab.drill.watched import watched
from tests.unit.lab.drill.test_report import figures


def seen(player: str = "ffmpeg", **changed: Any) -> Played:
    values: dict[str, Any] = {
        "player": player,
        "client": "c1",
        "vip": "192.0.2.1",
        "fatal": [],
        "stalls": 0,
        "longest_s": 0.1,
        "pieces": 100,
        "since": 60,
        "missing": 0,
        "damaged": 0,
        "errors": 0,
    }
    return Played(**{**values, **changed})


def test_rows_of_each_kind_of_player() -> None:
    runs = [
        [seen(longest_s=0.2), seen(longest_s=0.4, missing=3), seen("hls.js", longest_s=2.0)],
        [seen(longest_s=1.5, stalls=1, missing=1), seen(damaged=2), seen("hls.js", errors=4)],
        [seen(longest_s=0.3), seen(damaged=1), seen("hls.js")],
    ]

    ffmpeg, hls = watched(runs)

    assert (ffmpeg.player, ffmpeg.viewers, hls.player, hls.viewers) == ("ffmpeg", 6, "hls.js", 3)
    # Of each run the viewer that waited longest; then the median of the runs, and the worst.
    assert (ffmpeg.longest_s, ffmpeg.worst_s) == (0.4, 1.5)
    assert (ffmpeg.stalls, ffmpeg.missing, ffmpeg.damaged, ffmpeg.pieces) == (1, 3, 3, 600)
    assert (hls.longest_s, hls.errors) == (0.1, 4)
    assert watched([[], []]) == []


def test_a_player_that_failed_for_good_is_missed() -> None:
    bad = seen(fatal=["nothing came for the last 9.0 s"])
    runs = [figures(0.2, played=[bad]), figures(0.2, played=[seen()])]

    found = summarize("a", "A", runs, ExpectTable(), True)

    assert found.missed == ["ffmpeg of c1 at 192.0.2.1: nothing came for the last 9.0 s"]
    # Also in a run that is refused: that a client was late is no excuse for a player's end.
    refused = summarize(
        "a", "A", [figures(0.2, played=[bad], refused=["late"])], ExpectTable(), True
    )
    assert refused.missed[0] == found.missed[0]


def test_tables() -> None:
    bad = seen(fatal=["it ended"], missing=2, errors=1, stalls=1)
    quiet = summarize("a", "A", [figures(0.2)], ExpectTable(), True)
    loud = summarize("b", "B", [figures(0.2, played=[bad, seen("hls.js")])], ExpectTable(), True)

    assert players_rows([quiet]) == []
    head, *rows = players_rows([quiet, loud])
    assert [dict(zip(head, row, strict=True))["failed for good"] for row in rows] == ["1", "0"]
    assert player_line(seen()) == "ffmpeg of c1 at 192.0.2.1: played; nothing new for 100 ms"
    assert player_line(bad) == (
        "ffmpeg of c1 at 192.0.2.1: it ended; nothing new for 100 ms; 1 stalls; "
        "2 missing and 0 damaged of 100; 1 errors that it lived with"
    )
