"""Who watches what, and how each player is started."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from headrace.config.lab import LAB
from headrace.config.loader import load_config
from headrace.lab.drill.players import hls
from headrace.lab.drill.players.audience import refuse_missing_players
from headrace.lab.drill.players.ffmpeg import command
from headrace.lab.drill.players.viewers import FFMPEG, HLS_JS, Viewer, viewers
from headrace.lab.drill.shipped import find_scenarios
from headrace.lab.errors import LabError
from headrace.lab.network.plan import LabPlan, make_plan
from headrace.lab.network.topology import find_topology


@pytest.fixture(scope="module")
def two_isps() -> LabPlan:
    return make_plan(load_config(find_topology("two-isps"), LAB), Path("/nowhere"))


def chosen(lab: LabPlan, *players: str) -> list[tuple[str, str, str]]:
    (config,) = find_scenarios(["edge-kill"]).values()
    return [(one.player, one.client, one.vip) for one in viewers(lab, config, players)]


def test_ffmpeg_plays_in_each_isp_by_both_families(two_isps: LabPlan) -> None:
    v4, v6 = two_isps.machines["oslo1"].vips[0]

    assert chosen(two_isps, FFMPEG, FFMPEG) == [
        (FFMPEG, "north-client1", v4),
        (FFMPEG, "north-client1", v6),
        (FFMPEG, "south-client1", v4),
        (FFMPEG, "south-client1", v6),
    ]


def test_one_browser_plays(two_isps: LabPlan) -> None:
    v4, _v6 = two_isps.machines["oslo1"].vips[0]

    assert chosen(two_isps, HLS_JS) == [(HLS_JS, "north-client1", v4)]
    assert chosen(two_isps) == []


def test_players_ask_the_vip_for_the_contents_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: "/bin/browser")
    viewer = Viewer(FFMPEG, "c", "n", "2001:db8::1", "video.test")

    words = command(viewer)
    assert words[words.index("-i") + 1] == "http://[2001:db8::1]/lasting/ts.m3u8"
    assert words[words.index("-headers") + 1] == "Host: video.test\r\n"
    words = hls.command(viewer, "/profile", 81)
    assert "--host-resolver-rules=MAP video.test [2001:db8::1]" in words
    page = "http://127.0.0.1:81/?url=http%3A%2F%2Fvideo.test%2Flasting%2Fmaster.m3u8"
    assert words[-1] == page


def test_what_is_no_player_or_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    refuse_missing_players([])
    with pytest.raises(LabError, match="vlc: no such player: name some of ffmpeg"):
        refuse_missing_players(["vlc"])
    with pytest.raises(LabError, match="apt-get install ffmpeg"):
        refuse_missing_players([FFMPEG])
    with pytest.raises(LabError, match="apt-get install chromium"):
        refuse_missing_players([HLS_JS])
