"""The report of a simulation in a browser: it asks for nothing, and zooms."""

from __future__ import annotations

import asyncio
from pathlib import Path

from headrace.simulate.figures import figures_of
from headrace.simulate.report.page import page as page_of
from tests.e2e.browser import Page, open_page
from tests.harness.scenarios import simulated

DRAWN_WITHIN_S = 20.0


async def drag(page: Page, from_share: float, to_share: float) -> None:
    """Drag over the first plot, between two shares of its width."""
    box = await page.evaluate(
        "(() => { const box = all[0].canvas.getBoundingClientRect();"
        " return [box.left, box.top, box.width, box.height]; })()"
    )
    at = [box[0] + 76 + (box[2] - 76 - 28) * share for share in (from_share, to_share)]
    y = box[1] + box[3] / 2
    mouse = "Input.dispatchMouseEvent"
    await page.call(mouse, type="mousePressed", x=at[0], y=y, button="left", clickCount=1)
    await page.call(mouse, type="mouseMoved", x=at[1], y=y, button="left")
    await page.call(mouse, type="mouseReleased", x=at[1], y=y, button="left", clickCount=1)


async def report(directory: Path) -> None:
    result = simulated(
        title="</script><script>mine = 1</script>",
        failure=[{"site": "north", "from": 200, "until": 300}],
    )
    (directory / "report.html").write_text(page_of(result, figures_of(result, {}, 0.0, 0.0)))
    async with open_page(directory / "profile") as page:
        await page.call("Page.navigate", url=f"file://{directory}/report.html")
        await page.until("window.drawAll && all.length", DRAWN_WITHIN_S)
        assert await page.evaluate("performance.getEntriesByType('resource').length") == 0
        assert await page.evaluate("typeof mine") == "undefined"
        assert await page.evaluate("shown") == [0, 600]
        await drag(page, 0.25, 0.75)
        begins, ends = await page.evaluate("shown")
        assert abs(begins - 150) < 5
        assert abs(ends - 450) < 5
        assert "to clients" in await page.evaluate("document.querySelector('.read').textContent")
        await page.evaluate("all[0].canvas.dispatchEvent(new MouseEvent('dblclick'))")
        assert await page.evaluate("shown") == [0, 600]
        await page.evaluate("document.querySelector('.legend button').click()")
        assert await page.evaluate("all[0].hidden.size") == 1
        assert page.complaints == []


def test_a_report_asks_for_nothing_and_zooms(tmp_path: Path) -> None:
    asyncio.run(report(tmp_path))
