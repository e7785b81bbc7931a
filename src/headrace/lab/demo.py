"""The demo: a network on this machine, as processes, until a signal stops it.

Whatever ends this process ends them too; the directory of stores and logs goes with a clean stop.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web

from headrace.lab.assets import catalogue, page_assets, probe_sha256
from headrace.lab.configuration import edge_toml, feedback_toml, network_toml, router_toml
from headrace.lab.console import Console
from headrace.lab.crowd import Crowd
from headrace.lab.errors import LabError
from headrace.lab.observed import Observed
from headrace.lab.plan import (
    CLOUD,
    Plan,
    PlannedNode,
    PlannedServer,
    commands,
    greeting,
    make_plan,
)
from headrace.lab.ports import free_port
from headrace.lab.programs import Program


def run(host: str, page_port: int, routers: int, say: Callable[[str], None]) -> None:
    """Run the demo until SIGINT or SIGTERM. Raises LabError when it cannot start or continue."""
    if host in ("0.0.0.0", "::", ""):
        raise LabError(f"--listen {host}: name one address, for viewers are sent to it")
    catalogue()  # names what is missing, before anything starts
    page_assets()
    with tempfile.TemporaryDirectory(prefix="headrace-demo-") as name:
        try:
            plan = make_plan(Path(name), host, page_port, free_port, say, routers=routers)
        except OSError as error:
            raise LabError(f"cannot listen on {host}: {error.strerror}") from error
        asyncio.run(_run(Demo(plan), say))
    say("Stopped.")


class Demo:
    """The programs of a plan, and who may stop and start them: the page."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        token = secrets.token_hex(16)
        _write_files(plan, token)
        nodes: tuple[PlannedServer | PlannedNode, ...] = (
            *plan.servers,
            *plan.routers,
            *plan.observers,
        )
        ready = {node.name: f"{node.admin.url}/ready" for node in nodes}
        origins = {**plan.origins, CLOUD: plan.cloud}
        ready |= {name: f"{place.url}/media/master.m3u8" for name, place in origins.items()}
        self.programs = {
            name: Program(name, command, ready[name], plan.directory / f"{name}.log")
            for name, command in commands(plan).items()
        }
        sites = {server.place.url: server.site for server in plan.servers}
        self.crowd = Crowd(plan.router, lambda url: sites.get(url, CLOUD))
        self.observed = Observed(plan, token, lambda: self.crowd.bps.get(CLOUD, 0.0))
        self._busy = asyncio.Lock()

    async def stop(self, names: Sequence[str]) -> None:
        """Kill programs."""
        async with self._busy:
            for name in names:
                self.programs[name].kill()
            for name in names:
                process = self.programs[name].process
                if process is not None:
                    await process.wait()

    async def start(self, names: Sequence[str]) -> None:
        """Start programs, all at once, and wait until they are ready. Raises LabError."""
        async with self._busy:
            down = [self.programs[name] for name in names if not self.programs[name].runs]
            for program in down:
                await program.start()
            for program in down:
                await program.until_ready()

    async def end(self) -> None:
        """End them, those who ask before the origins."""
        origins = [self.programs[name] for name in (*self.plan.origins, CLOUD)]
        others = [each for each in self.programs.values() if each not in origins]
        await asyncio.gather(*(program.end() for program in others))
        await asyncio.gather(*(program.end() for program in origins))


def _write_files(plan: Plan, token: str) -> None:
    plan.token_file.touch(mode=0o600)
    plan.token_file.write_text(token)
    for secret in (plan.secret_file, plan.observers_secret_file):
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32) + "\n")
    plan.network_file.write_text(network_toml(plan))
    for server in plan.servers:
        (plan.directory / f"{server.name}.toml").write_text(edge_toml(plan, server))
    for router in plan.routers:
        (plan.directory / router.name).mkdir()
        (plan.directory / f"{router.name}.toml").write_text(router_toml(plan, router))
    for observer in plan.observers:
        text = feedback_toml(plan, observer, probe_sha256())
        (plan.directory / f"{observer.name}.toml").write_text(text)


async def _run(demo: Demo, say: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    life = asyncio.create_task(_life(demo, say))
    told = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({life, told}, return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            await life
    finally:
        for task in (life, told):
            task.cancel()
        await asyncio.gather(life, told, return_exceptions=True)
        await demo.end()


async def _life(demo: Demo, say: Callable[[str], None]) -> None:
    """Start everything, say so, and watch. Ends only by raising."""
    say("Starting two origins, five servers in three sites, a router and two observers…")
    observers = [observer.name for observer in demo.plan.observers]
    # Observers last: what has not started yet has not failed.
    await demo.start([name for name in demo.programs if name not in observers])
    await demo.start(observers)
    console = Console(demo.plan, demo.programs, demo.observed, demo.crowd, demo)
    page = web.AppRunner(console.application(page_assets()), access_log=None, shutdown_timeout=1.0)
    await page.setup()
    try:
        await web.TCPSite(page, demo.plan.page.host, demo.plan.page.port).start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(demo.observed.run())
            tasks.create_task(demo.crowd.run())
            say(greeting(demo.plan))
    finally:
        await page.cleanup()
