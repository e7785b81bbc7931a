"""A headless Chromium, driven through the DevTools protocol over a websocket."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from headrace.lab.drill.players.hls import FLAGS, NAMES

START_WITHIN_S = 30.0
ANSWER_WITHIN_S = 20.0


class Page:
    """One open tab. Collects what the page complains about from the start."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One DevTools command and its result."""
        number = len(self._answers) + 1
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, ANSWER_WITHIN_S)

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        found = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression: str, timeout_s: float) -> None:
        """Wait until the expression is true."""
        try:
            async with asyncio.timeout(timeout_s):
                # Only the page knows when, and it does not tell by itself.
                while not await self.evaluate(f"Boolean({expression})"):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(
                f"within {timeout_s:g} s never true: {expression}; complaints: {self.complaints}"
            ) from None

    async def screenshot(self, file: Path) -> None:
        """Write a PNG of what is shown."""
        found = await self.call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(found["data"]))

    async def close(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader

    async def _read(self) -> None:
        async for message in self._socket:
            content = message.json()
            if "id" in content:
                self._answer(content)
            else:
                self._note(content["method"], content["params"])

    def _answer(self, content: dict[str, Any]) -> None:
        waiting = self._answers[content["id"]]
        if waiting.done():
            return
        if "error" in content:
            waiting.set_exception(AssertionError(str(content["error"])))
        else:
            waiting.set_result(content["result"])

    def _note(self, event: str, facts: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.complaints.append(f"exception: {facts['exceptionDetails']}")
        elif event == "Runtime.consoleAPICalled" and facts["type"] in ("error", "assert"):
            self.complaints.append(f"console: {facts['args']}")
        elif event == "Log.entryAdded" and facts["entry"]["level"] == "error":
            self.complaints.append(f"log: {facts['entry']['text']} {facts['entry'].get('url')}")
        elif event == "Audits.issueAdded":
            issue = facts["issue"]
            if issue["code"] == "ContentSecurityPolicyIssue":
                self.complaints.append(f"policy: {issue['details']}")


@contextlib.asynccontextmanager
async def open_page(profile: Path, *, width: int = 1280, height: int = 860) -> AsyncIterator[Page]:
    """A Chromium of its own with one blank tab. Raises AssertionError when none is installed."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "no Chromium on this machine: run 'apt install chromium' as root"
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        "--remote-debugging-port=0",
        f"--window-size={width},{height}",
        f"--user-data-dir={profile}",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port = await _debugging_port(process, profile / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
                tabs = await response.json()
            address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            async with session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                try:
                    for domain in ("Page", "Runtime", "Log", "Audits"):
                        await page.call(f"{domain}.enable")
                    yield page
                    await page.call("Browser.close")
                finally:
                    await page.close()
    finally:
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _debugging_port(process: asyncio.subprocess.Process, file: Path) -> int:
    async with asyncio.timeout(START_WITHIN_S):
        while True:
            assert process.returncode is None, f"Chromium ended with {process.returncode}"
            if file.is_file() and len(lines := file.read_text().splitlines()) >= 2:
                return int(lines[0])
            await asyncio.sleep(0.05)
