"""A real browser plays the sample through the network, while things break, to its end."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.e2e.browser import Page, open_page
from tests.e2e.demo import Demo

pytestmark = pytest.mark.alone

SPEED = 5
PLAY_WITHIN_S = 75.0
SERVERS = {"n1", "n2", "s1", "s2"}

ROWS = """Array.from(document.querySelectorAll("#rows tr"), (row) =>
    Array.from(row.cells, (cell) => cell.textContent))"""


def artifacts(tmp_path: Path) -> Path:
    """Where screenshots go: a directory that is kept if one is named, else the test's own."""
    directory = Path(os.environ.get("HEADRACE_ARTIFACTS", tmp_path))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


async def begin(page: Page, url: str, way: str) -> None:
    await page.call("Page.navigate", url=url)
    await page.until("document.querySelector('video')?.currentTime > 0", 30)
    if way != "steering":
        await page.evaluate(
            f"const way = document.getElementById('way'); way.value = '{way}';"
            "way.dispatchEvent(new Event('change')); document.getElementById('rows').innerText = ''"
        )
        await page.until("document.querySelector('video')?.currentTime > 0", 30)
    await page.evaluate("document.getElementById('loop').checked = false")
    await page.evaluate(f"document.querySelector('video').playbackRate = {SPEED}")


async def click(page: Page, label: str) -> None:
    """Press a button, and wait until it has done what it says."""
    await page.evaluate(f"document.querySelector('button[aria-label=\"{label}\"]').click()")
    action, _, what = label.partition(" ")
    other = {"kill": "revive", "revive": "kill"}[action]
    await page.until(f"document.querySelector('button[aria-label=\"{other} {what}\"]')", 60)


async def to_the_end(page: Page) -> list[list[str]]:
    """The rows of the table of segments, newest first."""
    await page.until("document.querySelector('video').ended", PLAY_WITHIN_S)
    rows = await page.evaluate(ROWS)
    assert isinstance(rows, list)
    return rows


def played_whole(rows: list[list[str]]) -> bool:
    video = [row for row in rows if row[2] != "audio"]
    return len({row[1].rsplit("-", 1)[1] for row in video}) == 15


def test_the_page_plays_and_shows_where_each_segment_came_from(demo: Demo, tmp_path: Path) -> None:
    demo.revive_all()

    async def go() -> tuple[list[list[str]], list[str], str]:
        async with open_page(tmp_path / "profile") as page:
            await begin(page, demo.page(), "steering")
            rows = await to_the_end(page)
            await page.screenshot(artifacts(tmp_path) / "page.png")
            problem = await page.evaluate(
                "document.getElementById('problem').hidden ? ''"
                " : document.getElementById('problem').textContent"
            )
            return rows, page.complaints, problem

    rows, complaints, problem = asyncio.run(go())
    assert complaints == []
    assert problem == ""
    assert played_whole(rows)
    assert {row[5].split(",")[0] for row in rows} <= SERVERS
    sources = {row[6].split(" (")[0] for row in rows}
    assert sources <= {"own store", "sibling", "mid", "origin"}


def test_the_second_round_is_asked_for_again_and_comes_from_stores(
    demo: Demo, tmp_path: Path
) -> None:
    demo.revive_all()

    async def go() -> tuple[list[list[str]], int]:
        async with open_page(tmp_path / "profile") as page:
            await begin(page, demo.page(), "steering")
            known = len(await to_the_end(page))
            await page.evaluate(
                "const video = document.querySelector('video');"
                "video.currentTime = 0; video.play().catch(() => {})"
            )
            await page.until("document.querySelector('video').currentTime > 20", PLAY_WITHIN_S)
            rows = await page.evaluate(ROWS)
            return rows[: len(rows) - known], await overflow_at(page, 400)

    rows, overflow = asyncio.run(go())
    sources = {row[6].split(" (")[0] for row in rows}
    assert sources & {"own store", "sibling"}
    assert overflow == 0


async def overflow_at(page: Page, width: int) -> int:
    """How many pixels the page is wider than a narrow screen."""
    await page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=800,
        deviceScaleFactor=1,
        mobile=False,
    )
    found = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert isinstance(found, int)
    return found


def server_of(row: list[str]) -> str:
    return row[5].split(",")[0]


@pytest.mark.parametrize(
    ("way", "what"),
    [
        ("steering", "the server in use"),
        ("steering", "router-1"),
        ("redirect", "site north"),
    ],
)
def test_the_video_plays_on_while_something_is_killed_and_comes_back(
    demo: Demo, tmp_path: Path, way: str, what: str
) -> None:
    demo.revive_all()

    async def go() -> tuple[list[list[str]], list[list[str]], str, str]:
        async with open_page(tmp_path / "profile") as page:
            await begin(page, demo.page(), way)
            await page.until("document.querySelector('video').currentTime > 12", 30)
            before = await page.evaluate(ROWS)
            killed = server_of(before[0]) if what == "the server in use" else what
            await click(page, f"kill {killed}")
            # What was on its way then is here after so long.
            await page.until("document.querySelector('video').currentTime > 24", PLAY_WITHIN_S)
            known = len(await page.evaluate(ROWS))
            await page.until("document.querySelector('video').currentTime > 40", PLAY_WITHIN_S)
            rows = await page.evaluate(ROWS)
            while_down = rows[: len(rows) - known]
            await click(page, f"revive {killed}")
            rows = await to_the_end(page)
            problem = await page.evaluate(
                "document.getElementById('problem').hidden ? ''"
                " : document.getElementById('problem').textContent"
            )
            return rows, while_down, killed, problem

    try:
        rows, while_down, killed, problem = asyncio.run(go())
    finally:
        demo.revive_all()
    assert problem == ""
    assert played_whole(rows)
    gone = {"site north": {"n1", "n2"}}.get(killed, {killed})
    assert while_down
    assert not gone & {server_of(row) for row in while_down}
