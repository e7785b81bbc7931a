"""The demo: an origin with video and one edge before it, as processes, until a signal stops it.

Whatever ends this process ends them too; the cache directory goes with a clean stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from headrace.lab.assets import catalogue
from headrace.lab.errors import LabError
from headrace.lab.ports import free_port

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0
_POLL_S = 0.05
_LOG_TAIL_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the demo listens: `edge` on `host`, the others on loopback."""

    host: str
    edge: int
    origin: int
    admin: int


@dataclass(frozen=True, slots=True)
class Program:
    """A started process, with a name for messages and the file its output goes to."""

    name: str
    process: asyncio.subprocess.Process
    log: Path


def choose_ports(wanted: Ports, say: Callable[[str], None]) -> Ports:
    """Free ports, the wanted ones where they are free; says where they are not.

    Raises LabError for a host that is not this machine's.
    """

    def choose(name: str, host: str, port: int) -> int:
        try:
            chosen = free_port(host, port)
        except OSError as error:
            raise LabError(f"cannot listen on {host}: {error.strerror}") from error
        if port and chosen != port:
            say(f"port {port} is taken: the {name} listens on {chosen}")
        return chosen

    return Ports(
        wanted.host,
        choose("edge", wanted.host, wanted.edge),
        choose("origin", "127.0.0.1", wanted.origin),
        choose("admin API", "127.0.0.1", wanted.admin),
    )


def greeting(ports: Ports) -> str:
    """Return what to do with a demo that runs."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(ports.host, ports.host)
    base = f"http://[{host}]:{ports.edge}" if ":" in host else f"http://{host}:{ports.edge}"
    return (
        f"Player:  {base}/\n"
        f"HLS:     {base}/media/master.m3u8\n"
        f"DASH:    {base}/media/manifest.mpd\n"
        f"Origin:  http://127.0.0.1:{ports.origin}/\n"
        "Ask twice, and Cache-Status reports a miss, then a hit:\n"
        f"  curl -sD - -o /dev/null {base}/media/seg-0-001.m4s\n"
        "Stop with Ctrl-C."
    )


def edge_arguments(ports: Ports, cache_dir: Path) -> list[str]:
    """Return the demo's edge, in the one-line form."""
    host = f"[{ports.host}]" if ":" in ports.host else ports.host
    return [
        *("edge", "--node-id", "demo", "--listen", f"{host}:{ports.edge}"),
        *("--origin", f"http://127.0.0.1:{ports.origin}"),
        *("--cache-dir", str(cache_dir), "--cache-size", "256MiB", "--workers", "2"),
        *("--admin", f"127.0.0.1:{ports.admin}", "--log-level", "warning"),
    ]


def run(wanted: Ports, say: Callable[[str], None]) -> None:
    """Run the demo until SIGINT or SIGTERM. Raises LabError when it cannot start or continue."""
    catalogue()  # names what is missing, before anything starts
    ports = choose_ports(wanted, say)
    with tempfile.TemporaryDirectory(prefix="headrace-demo-") as name:
        asyncio.run(_run(ports, Path(name), say))
    say("Stopped.")


async def _run(ports: Ports, directory: Path, say: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    programs: list[Program] = []
    life = asyncio.create_task(_life(ports, directory, programs, say))
    told = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({life, told}, return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            await life
    finally:
        for task in (life, told):
            task.cancel()
        await asyncio.gather(life, told, return_exceptions=True)
        for program in reversed(programs):
            await _end(program)


async def _life(
    ports: Ports, directory: Path, programs: list[Program], say: Callable[[str], None]
) -> None:
    """Start everything, say so, and watch. Ends only by raising."""
    say("Starting an origin and an edge…")
    python = sys.executable
    origin = [python, "-m", "headrace.lab.origin", "--port", str(ports.origin)]
    headrace = str(Path(python).with_name("headrace"))
    edge = [headrace, *edge_arguments(ports, directory / "cache")]
    for name, command, probe in (
        ("origin", origin, f"http://127.0.0.1:{ports.origin}/media/master.m3u8"),
        ("edge", edge, f"http://127.0.0.1:{ports.admin}/ready"),
    ):
        program = await _start(name, command, directory)
        programs.append(program)
        await _until_ready(program, probe)
    say(greeting(ports))
    ends = [asyncio.create_task(program.process.wait()) for program in programs]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in ends:
            task.cancel()
    for program in programs:
        _refuse_ended(program)


async def _start(name: str, command: list[str], directory: Path) -> Program:
    log = directory / f"{name}.log"
    lifeline = [sys.executable, "-m", "headrace.lab.lifeline", str(os.getpid())]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *lifeline,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C in a terminal is for this process, which ends the others in order.
            start_new_session=True,
        )
    return Program(name, process, log)


async def _until_ready(program: Program, url: str) -> None:
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN_S):
                while True:
                    _refuse_ended(program)
                    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                        async with session.get(url) as response:
                            if response.status == 200:
                                return
                    await asyncio.sleep(_POLL_S)
    raise LabError(f"the {program.name} was not ready in {READY_WITHIN_S:g} s{_tail(program)}")


def _refuse_ended(program: Program) -> None:
    code = program.process.returncode
    if code is not None:
        raise LabError(f"the {program.name} ended by itself with code {code}{_tail(program)}")


def _tail(program: Program) -> str:
    text = program.log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:].strip()
    return f"; it said:\n{text}" if text else ""


async def _end(program: Program) -> None:
    process = program.process
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
