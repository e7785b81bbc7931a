"""The demo's feedback loop: a crowd is spread until no site has too much; what fails is left and
comes back while a real player plays on, also when no observer is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.browser import Page, open_page
from tests.e2e.demo import POLL_S, Demo
from tests.e2e.test_breaking import location_of
from tests.e2e.test_browser import ROWS, artifacts, begin, server_of
from tests.harness.polling import eventually

pytestmark = pytest.mark.alone

CROWD = 85
WITHIN_S = 60.0
SETTLED_READINGS = 10
TOLERANCE = 1.15
NEW_SEGMENTS = 6


def until(demo: Demo, what: str, holds: Any) -> dict[str, Any]:
    """Wait until something holds of the state, and return that state."""

    def found() -> dict[str, Any] | None:
        state = demo.state()
        return state if holds(state) else None

    state = eventually(found, what, WITHIN_S, every_s=POLL_S)
    assert state is not None
    return state


def mean_loads(state: dict[str, Any]) -> dict[str, float]:
    """What each site sent in the last seconds."""
    some = [loads for _age, loads in state["chart"][-SETTLED_READINGS:]]
    return {site: sum(one.get(site, 0.0) for one in some) / len(some) for site in some[-1]}


def test_a_crowd_is_spread_until_each_site_is_under_its_target(demo: Demo, tmp_path: Path) -> None:
    demo.revive_all()
    until(demo, "clients are at north", lambda state: state["weights"].get("north", 0) > 0.99)
    target = {site["name"]: site["target_bps"] for site in demo.state()["sites"]}
    try:
        # When more come than north is to serve
        demo.press("viewers", str(CROWD))
        until(demo, "north fills", lambda state: mean_loads(state)["north"] > 0.8 * target["north"])
        # Then some are sent elsewhere
        until(demo, "weights move", lambda state: state["weights"]["north"] < 0.95)

        def settled(state: dict[str, Any]) -> bool:
            loads = mean_loads(state)
            whole = state["crowd"]["viewers"] == CROWD
            return whole and all(loads[site] <= TOLERANCE * bps for site, bps in target.items())

        # and each site sends what it is to send, though all of it is more than north could.
        state = until(demo, "loads settle", settled)
        assert sum(mean_loads(state).values()) > target["north"]
        assert mean_loads(state)["south"] > 0
        # Frozen, the weights stay when all have left; thawed, they return.
        demo.press("automation", "freeze")
        kept = until(demo, "it is frozen", lambda state: state["loop"]["frozen"])["weights"]
        demo.press("viewers", "0")
        until(demo, "all have left", lambda state: mean_loads(state)["north"] < 1e6)
        assert demo.state()["weights"] == kept
    finally:
        demo.press("viewers", "0")
        demo.press("automation", "thaw")
    until(demo, "clients are at north", lambda state: state["weights"].get("north", 0) > 0.99)


def signal_all(demo: Demo, program: str, number: signal.Signals) -> None:
    """Send a signal to all processes of a program."""
    for process in psutil.Process(demo.process.pid).children():
        if any(part.endswith(f"/{program}.toml") for part in process.cmdline()):
            for one in (process, *process.children(recursive=True)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, number)
            return
    raise AssertionError(f"no {program} runs")


def led_to(demo: Demo) -> set[str]:
    """The servers that a router redirects segments to."""
    state = demo.state()
    names = {server["url"]: name for name, server in demo.servers(state).items()}
    paths = (f"{state['router']}/media/seg-0-{number:03d}.m4s" for number in range(1, 16))
    return {names[location_of(path).partition("/media/")[0]] for path in paths}


def states_of(demo: Demo, server: str) -> list[str]:
    """The states that a server came to, the oldest first."""
    events = [text for text in demo.state()["changes"] if text.startswith(f"{server}: ")]
    return [text.partition(" → ")[2].partition(":")[0] for text in reversed(events)]


async def until_plays_on(page: Page, without: str) -> None:
    """Wait until so many new segments have come, the last of them from other servers."""
    known = await page.evaluate("document.getElementById('received').textContent")
    await page.until(f"document.getElementById('received').textContent != '{known}'", WITHIN_S)
    await page.evaluate("document.getElementById('rows').innerText = ''")
    await page.until(f"document.querySelectorAll('#rows tr').length >= {NEW_SEGMENTS}", WITHIN_S)
    rows = await page.evaluate(ROWS)
    assert without not in {server_of(row) for row in rows[: NEW_SEGMENTS // 2]}


async def state_is(page: Page, server: str, *states: str) -> None:
    """Wait until the page shows a server in one of these states."""
    classes = ", ".join(f"#machine-{server}.is-{state}" for state in states)
    await page.until(f"document.querySelector('{classes}')", WITHIN_S)


def test_the_loop_leaves_what_fails_and_takes_it_back_while_a_player_plays(
    demo: Demo, tmp_path: Path
) -> None:
    demo.revive_all()
    observers = [one["name"] for one in demo.state()["observers"]]

    async def go() -> tuple[str, str]:
        async with open_page(tmp_path / "profile", height=1300) as page:
            await begin(page, demo.page(), "steering")
            await page.evaluate("document.getElementById('loop').checked = true")
            await page.evaluate("document.querySelector('video').playbackRate = 3")
            await page.until("document.querySelectorAll('#rows tr').length > 4", WITHIN_S)
            used = server_of((await page.evaluate(ROWS))[0])

            # A server that is killed fails, is left, and recovers in steps.
            await asyncio.to_thread(demo.press, "stop", used)
            await state_is(page, used, "failed")
            assert used not in await asyncio.to_thread(led_to, demo)
            await until_plays_on(page, used)
            await page.screenshot(artifacts(tmp_path) / "loop.png")
            await asyncio.to_thread(demo.press, "start", used)
            await state_is(page, used, "recovering", "online")
            await state_is(page, used, "online")

            # One that stands still fails too; without observers, the last view stays.
            signal_all(demo, used, signal.SIGSTOP)
            await state_is(page, used, "failed")
            for observer in observers:
                await asyncio.to_thread(demo.press, "stop", observer)
            signal_all(demo, used, signal.SIGCONT)
            await until_plays_on(page, used)
            assert used not in await asyncio.to_thread(led_to, demo)
            for observer in observers:
                await asyncio.to_thread(demo.press, "start", observer)
            await state_is(page, used, "recovering", "online")
            problem = await page.evaluate(
                "document.getElementById('problem').hidden ? ''"
                " : document.getElementById('problem').textContent"
            )
            return used, problem

    try:
        used, problem = asyncio.run(go())
    finally:
        for name in ("n1", "n2", "s1", "s2"):
            with contextlib.suppress(AssertionError):
                signal_all(demo, name, signal.SIGCONT)
        demo.revive_all()
    assert problem == ""
    came_to = states_of(demo, used)
    first = came_to.index("failed")
    assert came_to[first + 1] == "recovering"
    assert came_to[came_to.index("recovering") + 1] == "online"
    assert "failed" in came_to[first + 1 :]


def test_the_page_says_why(demo: Demo) -> None:
    with urllib.request.urlopen(demo.page("/api/why/n1"), timeout=10) as response:
        lines = json.load(response)["lines"]
    assert any("observer" in line for line in lines)
