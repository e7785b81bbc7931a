"""Real feedback processes, supervisor and worker, that observe servers of a test."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from headrace.topology.view import View
from headrace.topology.view_codec import decode_view
from tests.harness.probed import BODY
from tests.harness.supervised import Supervised

SECRET = "a-secret-of-tests-that-is-long-enough-for-it"
HOST, PATH = "vod.example", "/probe"


class Feedback(Supervised):
    """One feedback process under test. Its view is published to `view_file`."""

    def __init__(self, directory: Path, name: str, port: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(directory, module="tests.harness.run_feedback")
        self.name = name
        self.port = port
        self.view_file = directory / "view.json"
        self.secret = directory / "secret"
        self.secret.write_text(SECRET + "\n")

    def write(
        self,
        network: Path,
        observers: Mapping[str, str] = {},
        more: str = "",
        tables: str = "",
        sockets: Sequence[Path] = (),
    ) -> None:
        """Write its configuration; `observers` are URLs by name, `more` are keys of the top."""
        listed = "".join(
            f'[[observer]]\nnode_id = "{name}"\nurl = "{url}"\n' for name, url in observers.items()
        )
        paths = ", ".join(f'"{path}"' for path in sockets)
        self.file.write_text(
            f"""
node_id = "{self.name}"
state_dir = "{self.cache_dir}"
{more}
[network]
file = "{network}"
secret_file = "{self.secret}"
[[listen]]
address = "127.0.0.1:{self.port}"
[admin]
listen = "127.0.0.1:0"
[publish]
file = "{self.view_file}"
sockets = [{paths}]
[[probe]]
host = "{HOST}"
path = "{PATH}"
sha256 = "{hashlib.sha256(BODY).hexdigest()}"
{listed}
{tables}
"""
        )

    def view(self) -> View | None:
        """Return the view that it published last."""
        try:
            return decode_view(self.view_file.read_bytes())
        except OSError:
            return None

    def states(self) -> dict[str, str]:
        """Return the states of its view that are not online."""
        view = self.view()
        return (
            {}
            if view is None
            else {
                name: one.state.value
                for name, one in view.servers.items()
                if one.state.value != "online"
            }
        )

    def status(self) -> Any:
        """Return what it says of everything."""
        return self.ask("GET", "/feedback/status").json()

    def all_pids(self) -> list[int]:
        """Return the process and its worker."""
        found = psutil.Process(self.pid)
        return [self.pid, *(child.pid for child in found.children(recursive=True))]

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        for pid in self.all_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Kill it, its worker too."""
        self.send(signal.SIGKILL)
        self.ended()
        self.events.clear()
