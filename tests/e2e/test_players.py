"""Content steering moves real players, hls.js, dash.js and Shaka, in mid-stream."""

from __future__ import annotations

import asyncio
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.e2e.browser import Page, open_page
from tests.e2e.demo import Demo

pytestmark = pytest.mark.alone

PLAYERS = Path(__file__).parent / "players"
SPEED = 5
NORTH, SOUTH = ("n1", "n2"), ("s1", "s2")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def players() -> Iterator[str]:
    """Where the page with the players is."""
    handler = functools.partial(Quiet, directory=str(PLAYERS))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


async def until_comes_from(page: Page, hosts: set[str], within_s: float) -> None:
    """Wait until the last three segments came from these hosts."""
    wanted = "[" + ",".join(f"'{host}'" for host in sorted(hosts)) + "]"
    await page.until(
        f"seen.segments.length > 3 && seen.segments.slice(-3).every("
        f"(url) => {wanted}.includes(new URL(url).host))",
        within_s,
    )


@pytest.mark.parametrize("player", ["hls", "dash", "shaka"])
def test_steering_moves_a_player_to_another_site_and_it_plays_on(
    demo: Demo, players: str, tmp_path: Path, player: str
) -> None:
    demo.revive_all()
    hosts = {
        server["name"]: urlsplit(server["url"]).netloc
        for site in demo.state()["sites"]
        for server in site["servers"]
    }
    north, south = ({hosts[name] for name in names} for names in (NORTH, SOUTH))
    manifest = "steering.m3u8" if player == "hls" else "steering.mpd"
    url = quote(demo.url(f"/media/{manifest}"), safe="")

    async def go() -> dict[str, Any]:
        async with open_page(tmp_path / "profile") as page:
            await page.call("Page.navigate", url=f"{players}/player.html?player={player}&url={url}")
            await page.until("document.querySelector('video')?.currentTime > 0", 40)
            await until_comes_from(page, north, 40)
            # When the site fails while the player plays
            await asyncio.to_thread(demo.press, "stop", "north")
            await page.evaluate(f"document.querySelector('video').playbackRate = {SPEED}")
            # Then the rest comes from the other site, to the end.
            await until_comes_from(page, south, 40)
            await page.until("document.querySelector('video').ended", 75)
            found: dict[str, Any] = await page.evaluate("seen")
            return found

    try:
        seen = asyncio.run(go())
    finally:
        demo.revive_all()
    assert seen["fatal"] == []
    assert seen["steering"], "no steering manifest was taken"
