"""Speakers under test as processes in namespaces, and the routers that they speak to."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from headrace.bgp.announcement import Announcement
from headrace.bgp.events import SpeakerEvent
from tests.harness.namespaces import Namespace
from tests.harness.polling import eventually

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
_numbers = itertools.count(1)
Event = TypeVar("Event")


class RunningSpeaker:
    """A speaker in a namespace. What it reports is kept in `events`, with the time."""

    def __init__(
        self,
        where: Namespace,
        directory: Path,
        maker: object,
        *arguments: object,
        **options: object,
    ) -> None:
        file = directory / f"speaker-{next(_numbers)}.pickle"
        file.write_bytes(pickle.dumps((maker, arguments, options)))
        self.events: list[Any] = []
        self.times_s: list[float] = []
        self.log = directory / f"{file.stem}.log"
        self.process = where.logged(
            [sys.executable, "-m", "tests.harness.run_speaker", str(file)],
            self.log,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def say(self, name: str, values: object = ()) -> None:
        """Give it a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(base64.b64encode(pickle.dumps((name, values))) + b"\n")
        self.process.stdin.flush()

    def start(self, *announcements: Announcement) -> None:
        """Set what it announces, and start it."""
        self.set(*announcements)
        self.say("start")

    def set(self, *announcements: Announcement) -> None:
        """Let it announce these and nothing else."""
        self.say("set", (frozenset(announcements),))

    def ask(self, name: str) -> Any:
        """The value of an attribute, or what a method without arguments returns."""
        before = len(self._answers())
        self.say("ask", name)
        eventually(lambda: len(self._answers()) > before, f"{name} is answered", PATIENCE_S)
        return self._answers()[-1][1]

    def _answers(self) -> list[Any]:
        return [one for one in list(self.events) if isinstance(one, tuple)]

    def close(self, *, graceful: bool) -> None:
        """Close it, and wait for its end."""
        self.say("close", graceful)
        assert self.process.wait(PATIENCE_S) == 0
        self._reader.join()
        assert self.events[-1] == "closed"

    def found(
        self, kind: type[Event], fits: Callable[[Event], bool] = lambda _one: True
    ) -> list[Event]:
        """The events of that kind so far."""
        return [one for one in list(self.events) if isinstance(one, kind) and fits(one)]

    def event(
        self,
        kind: type[Event],
        fits: Callable[[Event], bool] = lambda _one: True,
        *,
        number: int = 1,
    ) -> Event:
        """Wait for an event (the first that fits, or a later one)."""

        def there() -> bool:
            assert self.process.poll() is None or self.found(kind, fits), "the speaker ended"
            return len(self.found(kind, fits)) >= number

        def story() -> str:
            return "\n".join(str(one) for one in self.events)

        try:
            eventually(there, f"{kind.__name__} {number}", PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; events:\n{story()}") from None
        return self.found(kind, fits)[number - 1]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            value: SpeakerEvent = pickle.loads(base64.b64decode(line))
            self.events.append(value)
            self.times_s.append(time.monotonic())


def ask_bird(path: Path, command: str) -> str:
    """Return what `birdc` would print, without its first line; "" where BIRD does not answer.

    Each line of an answer begins with a code and "-" or, the last one, " "; or with " " where the
    code is the one before.
    """
    text: list[str] = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(str(path))
        with sock.makefile("r") as lines:
            lines.readline()  # it greets
            sock.sendall(f"{command}\n".encode())
            for line in lines:
                coded = line[:4].isdecimal()
                text.append(line[5:] if coded else line[1:])
                if coded and line[4] == " ":
                    break
    return "".join(text)


class BirdRouter:
    """BIRD as the ISP's router, in a namespace."""

    def __init__(self, where: Namespace, directory: Path, configuration: str) -> None:
        self.where = where
        self._directory = directory / f"bird-{next(_numbers)}"
        self._directory.mkdir()
        self.socket = self._directory / "bird.ctl"
        self.file = self._directory / "bird.conf"
        self.write(configuration)
        self.again()

    def again(self) -> None:
        """Start it, the first time or once more."""
        self.socket.unlink(missing_ok=True)
        self.process = self.where.logged(
            ["bird", "-f", "-c", str(self.file), "-s", str(self.socket)],
            self._directory / "bird.log",
        )
        eventually(self.socket.exists, "BIRD has its socket", PATIENCE_S)

    def stop(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def write(self, configuration: str) -> None:
        """Write its configuration."""
        self.file.write_text("log stderr all;\nprotocol device {}\n" + configuration)

    def ask(self, *words: str) -> str:
        """What it answers to a command."""
        return ask_bird(self.socket, " ".join(words))

    def via(self, prefix: str) -> str | None:
        """The next hop of its best route to exactly that prefix."""
        for line in self.ask("show", "route", prefix, "primary").splitlines():
            words = line.split()
            if words[:1] == ["via"]:
                return words[1]
        return None

    def attributes(self, prefix: str) -> dict[str, str]:
        """The attributes of its best route to exactly that prefix."""
        lines = self.ask("show", "route", prefix, "primary", "all").splitlines()
        pairs = (line.strip().split(":", 1) for line in lines if line.startswith("\tBGP."))
        return {name.removeprefix("BGP."): value.strip() for name, value in pairs}

    def goes_via(self, prefix: str, next_hop: str | None, within_s: float = PATIENCE_S) -> None:
        """Wait until its best route goes there."""
        eventually(lambda: self.via(prefix) == next_hop, f"{prefix} goes via {next_hop}", within_s)


class FrrRouter:
    """FRR's bgpd (and zebra) in a namespace, as router or as speaker."""

    def __init__(
        self, where: Namespace, directory: Path, configuration: str, *, daemons: tuple[str, ...]
    ) -> None:
        self.where = where
        self.directory = directory / f"frr-{next(_numbers)}"
        self.directory.mkdir(mode=0o777)
        self.directory.chmod(0o777)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for daemon in daemons:
            (self.directory / f"{daemon}.conf").write_text(
                configuration if daemon == "bgpd" else ""
            )
            self.run(daemon)

    def run(self, daemon: str) -> None:
        """Start one daemon, the first time or once more."""
        path = self.directory
        (path / f"{daemon}.vty").unlink(missing_ok=True)
        self.processes[daemon] = self.where.logged(
            [
                *(f"/usr/lib/frr/{daemon}", "-f", str(path / f"{daemon}.conf")),
                *("-i", str(path / f"{daemon}.pid"), "-z", str(path / "zserv.api")),
                *("--vty_socket", str(path), "-P", "0", "-u", "frr", "-g", "frr"),
                *("--log", f"file:{path / daemon}.log"),
                *(("--bfdctl", str(path / "bfdd.sock")) if daemon == "bfdd" else ()),
            ],
            path / f"{daemon}.err",
        )
        eventually((path / f"{daemon}.vty").exists, f"{daemon} runs", PATIENCE_S)

    def stop(self, daemon: str) -> None:
        """Kill one daemon."""
        self.processes[daemon].kill()
        self.processes[daemon].wait()

    def ask(self, *commands: str) -> str:
        """What vtysh answers."""
        words = [word for command in commands for word in ("-c", command)]
        return self.where.run("vtysh", "--vty_socket", str(self.directory), *words)

    def ask_json(self, command: str) -> Any:
        """What it answers, read."""
        return json.loads(self.ask(command))
