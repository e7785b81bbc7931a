"""`headrace demo` as a user runs it, on free ports."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

from tests.harness.polling import eventually

START_WITHIN_S = 90.0
STOP_WITHIN_S = 30.0
RETURN_WITHIN_S = 60.0
POLL_S = 0.2


def listens(url: str) -> bool:
    """Return whether something accepts connections at a URL."""
    place = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((place.hostname, place.port), timeout=5).close()
    except OSError:
        return False
    return True


class Demo:
    """A running demo; its caches are empty at first."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self._log = log
        command = [str(Path(sys.executable).with_name("headrace")), "demo", *arguments]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def page(self, path: str = "/") -> str:
        """The address of something on the page's server."""
        return self._said(r"Page: +(\S+)/\n") + path

    def url(self, path: str) -> str:
        """The address of something that the network serves: at the router."""
        return self._said(r"HLS: +(\S+)/media/master.m3u8\n") + path

    def _said(self, pattern: str) -> str:
        found = re.search(pattern, self.output)
        assert found, self.output
        return found[1]

    def state(self) -> dict[str, Any]:
        """What the page shows."""
        with urllib.request.urlopen(self.page("/api/state"), timeout=10) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def press(self, action: str, name: str) -> None:
        """Press a button of the page."""
        request = urllib.request.Request(
            self.page(f"/api/{action}/{name}"), method="POST", headers={"X-Headrace-Demo": "1"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.status == 200

    def revive_all(self) -> None:
        """Start again whatever is down, and wait until it answers and the routers know."""
        state = self.state()
        others = (*state["origins"], *state["routers"], *state["observers"], state["cloud"])
        for item in (*self.servers(state).values(), *others):
            if not item["runs"]:
                self.press("start", item["name"])
        eventually(
            lambda: all(server["usable"] for server in self.servers().values()),
            "every server can be used again",
            RETURN_WITHIN_S,
            every_s=POLL_S,
        )
        for item in others:
            eventually(
                partial(listens, item["url"]),
                f"{item['name']} can be asked again",
                RETURN_WITHIN_S,
                every_s=POLL_S,
            )

    def servers(self, state: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
        """What the page shows of each server."""
        sites = (state or self.state())["sites"]
        return {server["name"]: server for site in sites for server in site["servers"]}

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"the demo ended:\n{self.output}"
            return "Stop with Ctrl-C." in self.output

        eventually(ready, "the demo greets", START_WITHIN_S)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_WITHIN_S)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_WITHIN_S)
