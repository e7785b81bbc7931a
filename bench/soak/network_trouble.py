"""What a soak of a network does to its servers and its router: purges, kills, restarts, freezes,
new descriptions. All of it is what operators and machines do; none of it may show wrong bytes.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.harness.edge import Edge
from tests.harness.polling import eventually
from tests.harness.router import Router
from tests.harness.sites import RunningSite

from bench.soak.clients import World
from bench.soak.operator import purge

ROUTER_STARTS_S = 120.0  # beside all that this machine does meanwhile
PURGES = [60, 12, 5, 7, 15, 1]


def operate(worlds: dict[str, World], site: RunningSite, seed: int) -> None:
    """Purge at one server or another; kill, freeze and reload workers; restart whole servers.

    A server that starts again must know of the purges from before, whoever has what they hit.
    """
    chance = random.Random(seed)
    names = list(worlds)
    until_restart = iter(_shuffled(names, chance) * 100)
    restart_at = time.monotonic() + 5.0
    while not worlds[names[0]].stop.wait(0.2):
        name = chance.choice(names)
        world, edge = worlds[name], site.edges[name]
        _purge(name, world, edge, chance)
        if chance.random() < 0.04:
            edge.signal(signal.SIGHUP)
            world.tally.count("reloads asked for")
        if chance.random() < 0.02 and (pids := edge.worker_pids()):
            edge.kill_worker(chance.choice(pids))
            world.tally.count("workers killed")
        elif chance.random() < 0.02:
            _freeze(edge, chance.uniform(0.1, 1.5))
            world.tally.count("workers frozen")
        if time.monotonic() > restart_at:
            name = next(until_restart)
            _restart(name, worlds[name], site.edges[name], chance)
            restart_at = time.monotonic() + chance.uniform(2.0, 6.0)


def _shuffled(names: list[str], chance: random.Random) -> list[str]:
    return chance.sample(names, len(names))


def _purge(name: str, world: World, edge: Edge, chance: random.Random) -> None:
    try:
        purge(world, edge, chance, PURGES)
    except (OSError, http.client.HTTPException) as error:
        world.tally.note_wrong(f"the admin API of {name} failed: {error!r}")


def _restart(name: str, world: World, edge: Edge, chance: random.Random) -> None:
    """End a whole server in one way or another just after a purge, and start it again."""
    _purge(name, world, edge, chance)
    way = chance.choice(["all of it killed", "its supervisor killed", "stopped"])
    match way:
        case "all of it killed":
            edge.kill_everything()
        case "its supervisor killed":
            edge.process.kill()
            edge.process.wait(10)
        case _:
            _stop(name, world, edge)
    world.stop.wait(chance.uniform(0.0, 2.0))
    try:
        edge.start_again()
    except AssertionError as error:
        world.tally.note_wrong(f"{name} did not start again ({way}): {error}")
    world.tally.count(f"servers restarted ({way})")


def _stop(name: str, world: World, edge: Edge) -> None:
    try:
        if edge.stop() != 0:
            world.tally.note_wrong(f"{name} did not end cleanly")
    except subprocess.TimeoutExpired:
        world.tally.note_wrong(f"{name} did not end")
        edge.kill_everything()


def _freeze(edge: Edge, seconds: float) -> None:
    pids = edge.worker_pids()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def describe(world: World, description: Path, seed: int) -> None:
    """Take servers out of the network's description and put them back."""
    chance = random.Random(seed + 1)
    whole = description.read_text()
    while not world.stop.wait(chance.uniform(2.0, 6.0)):
        name = chance.choice(["one", "two", "three", "four"])
        state = chance.choice(["draining", "withdrawn", "online"])
        text = whole.replace(f'{{name = "{name}", ', f'{{name = "{name}", state = "{state}", ')
        assert text != whole
        if chance.random() < 0.2:
            text = "not a description"
        replace_file(description, text)
        world.tally.count("descriptions")
    replace_file(description, whole)


def replace_file(file: Path, text: str) -> None:
    """Replace a file in one step."""
    newer = file.with_name("newer.toml")
    newer.write_text(text)
    newer.replace(file)


def trouble_router(world: World, router: Router, seed: int) -> None:
    """Kill the router's processes now and then, and start it again."""
    chance = random.Random(seed + 2)
    while not world.stop.wait(chance.uniform(3.0, 7.0)):
        os.kill(router.pid, signal.SIGKILL)
        router.ended()
        world.stop.wait(chance.uniform(0.0, 1.0))
        router.events.clear()
        router.launch()
        try:
            eventually(lambda: router.found("ready"), "the router is ready", ROUTER_STARTS_S)
        except AssertionError as error:
            world.tally.note_wrong(f"the router did not start again: {error}: {router.events}")
            return
        world.tally.count("routers killed")
