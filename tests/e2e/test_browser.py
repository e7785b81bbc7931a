"""A real browser plays the sample through the edge to its end."""

from __future__ import annotations

import asyncio
import os
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.browser import Page, open_page
from tests.e2e.demo import Demo

pytestmark = pytest.mark.alone

SPEED = 4
PLAY_WITHIN_S = 75.0

ROWS = """Array.from(document.querySelectorAll("#rows tr"), (row) =>
    Array.from(row.cells, (cell) => cell.textContent))"""


def artifacts(tmp_path: Path) -> Path:
    """Where screenshots go: a directory that is kept if one is named, else the test's own."""
    directory = Path(os.environ.get("HEADRACE_ARTIFACTS", tmp_path))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


async def play_to_the_end(page: Page, url: str, screenshot: Path) -> list[list[str]]:
    """The rows of the table of segments, newest first."""
    await page.call("Page.navigate", url=url)
    await page.until("document.querySelector('video')?.currentTime > 0", 30)
    await page.evaluate(f"document.querySelector('video').playbackRate = {SPEED}")
    await page.until("document.querySelector('video').currentTime > 30", PLAY_WITHIN_S)
    await page.screenshot(screenshot)
    await page.until("document.querySelector('video').ended", PLAY_WITHIN_S)
    rows = await page.evaluate(ROWS)
    assert isinstance(rows, list)
    return rows


def test_the_player_shows_the_video_and_what_each_segment_did(demo: Demo, tmp_path: Path) -> None:
    # Given an edge that has some of the segments already
    for number in range(6, 9):
        for rendition in range(3):
            path = f"/media/seg-{rendition}-{number:03d}.m4s"
            with urllib.request.urlopen(demo.url(path)) as response:
                response.read()

    # When a browser plays to the end
    async def go() -> tuple[list[list[str]], float, list[str]]:
        async with open_page(tmp_path / "profile") as page:
            rows = await play_to_the_end(page, demo.url("/"), artifacts(tmp_path) / "player.png")
            played_s = await page.evaluate("document.querySelector('video').currentTime")
            return rows, played_s, page.complaints

    rows, played_s, complaints = asyncio.run(go())

    # Then it played all of it, of several renditions, and nothing went wrong
    assert complaints == []
    assert abs(played_s - 60) < 0.5
    video = [row for row in rows if row[2] != "audio"]
    assert len({row[1].rsplit("-", 1)[1] for row in video}) == 15
    assert {"234p", "540p"} <= {row[2] for row in video}
    # and the table tells the segments that the edge had from those it had not.
    verdicts = {row[1]: row[5] for row in video}
    assert "miss" in verdicts.values()
    known = {name for name in verdicts if name.endswith(("006.m4s", "007.m4s", "008.m4s"))}
    assert {verdicts[name] for name in known} == {"hit"}
