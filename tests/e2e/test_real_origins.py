"""Origins that are real servers are killed and started again while ffmpeg and hls.js play."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.browser import open_page
from tests.e2e.real_origins import (
    KEYS,
    Httpd,
    Nginx,
    Server,
    Store,
    make_service,
    refuses_strangers,
)
from tests.e2e.test_browser import artifacts
from tests.harness.edge import Edge, running_edge

pytestmark = pytest.mark.alone

EACH_S = 0.7
SPEED = 4


@dataclass
class Network:
    """The edge, and the origins that it has."""

    edge: Edge
    servers: list[Server]

    @contextlib.contextmanager
    def in_trouble(self) -> Iterator[None]:
        """One origin after the other is killed, two are down at a time; in the end all are up."""
        over = threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            down: list[Server] = []
            try:
                for server in itertools.cycle(self.servers):
                    if over.wait(EACH_S):
                        break
                    if server in down:
                        continue
                    server.kill()
                    down.append(server)
                    if len(down) > 1 and not over.wait(EACH_S):
                        down.pop(0).start()
                for server in down:
                    server.start()
            except BaseException as error:  # noqa: BLE001 (told below, where the test sees it)
                failure.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(60)
        assert not failure, failure

    def rescued(self) -> float:
        """How often another origin had to help."""
        edge = self.edge
        return edge.metric("headrace_origin_retries_total") + edge.metric(
            "headrace_origin_switches_total"
        )


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with contextlib.ExitStack() as stack:
        # Servers that root starts serve as somebody else, who may not look into tmp_path.
        open_to_all = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        open_to_all.chmod(0o755)
        root = make_service(open_to_all)
        servers: list[Server] = [kind(open_to_all, root) for kind in (Nginx, Httpd, Store)]
        for server in servers:
            stack.callback(server.kill)
            server.start()
        store = servers[2]
        assert isinstance(store, Store)
        assert refuses_strangers(store)
        origins: list[dict[str, object]] = [
            {"name": server.name, "url": server.url, "host": "origin"} for server in servers
        ]
        origins[2]["signing"] = {"access_key": KEYS.access_key, "secret_key": KEYS.secret_key}
        pool = {
            "name": "all", "same": "overlap", "choice": "weighted", "origin": origins,
            "outliers": {"failures": 0}, "retry_budget": 10,
        }  # fmt: skip
        # The store answers 404 after each start until it is filled again.
        retry = {
            "name": "default", "tries": 12, "backoff": 0.1, "stall": 2,
            "retry_statuses": [404, 500, 502, 503, 504],
        }  # fmt: skip
        service = {
            "name": "film", "hosts": ["127.0.0.1"], "pool": [pool], "retry": [retry],
            "cache": {"force_lifetime": 600},
        }  # fmt: skip
        overrides: dict[str, object] = {"more_services": [service]}
        edge = stack.enter_context(running_edge(servers[0].url, tmp_path / "edge", overrides))
        yield Network(edge, servers)


def test_ffmpeg_plays_to_the_end_while_origins_die(network: Network) -> None:
    url = f"http://127.0.0.1:{network.edge.port}/media/master.m3u8"
    with network.in_trouble():
        done = subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "error", "-stats", "-readrate", str(SPEED), "-i", url,
             "-map", "0", "-f", "null", "-"],
            capture_output=True, text=True, check=False, timeout=110,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    hours, minutes, seconds = re.findall(r"time=(\d+):(\d+):([\d.]+)", done.stderr)[-1]
    assert int(hours) * 3600 + int(minutes) * 60 + float(seconds) == pytest.approx(60, abs=0.2)
    complaints = [line for line in re.split(r"[\r\n]+", done.stderr) if "time=" not in line]
    assert [line for line in complaints if line.strip()] == []
    assert network.rescued() > 0


def test_a_browser_plays_to_the_end_while_origins_die(network: Network, tmp_path: Path) -> None:
    async def go() -> tuple[float, int, list[str]]:
        async with open_page(tmp_path / "profile") as page:
            url = f"http://127.0.0.1:{network.edge.port}/player.html"
            url += "#player=hls&buffer=30&url=/media/master.m3u8"
            await page.call("Page.navigate", url=url)
            await page.until("document.querySelector('video')?.currentTime > 0", 30)
            await page.evaluate(
                "(() => { const video = document.querySelector('video'); window.stalls = 0;"
                " for (const kind of ['waiting', 'stalled', 'error'])"
                "   video.addEventListener(kind, () => { if (!video.ended) window.stalls += 1; });"
                f" video.playbackRate = {SPEED / 2}; }})()"
            )
            await page.until("document.querySelector('video').ended", 75)
            await page.screenshot(artifacts(tmp_path) / "real-origins.png")
            played_s = await page.evaluate("document.querySelector('video').currentTime")
            stalls = await page.evaluate("window.stalls")
            return played_s, stalls, page.complaints

    with network.in_trouble():
        played_s, stalls, complaints = asyncio.run(go())
    assert abs(played_s - 60) < 0.5
    assert (stalls, complaints) == (0, [])
    assert network.rescued() > 0
