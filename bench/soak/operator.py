"""The soak's troublemaker: purges, changes, reloads, rotates logs and kills workers."""

from __future__ import annotations

import http.client
import random
import signal

import psutil
from tests.harness.edge import Edge

from bench.soak.clients import World
from bench.soak.objects import CHANGING, FIXED

PURGES = {"change": 50, "url": 15, "prefix": 5, "tag": 10, "soft": 19, "all": 1}  # shares


def operate(world: World, edge: Edge, seed: int, *, kill_every_s: float) -> None:
    """Do something every now and then until told to stop."""
    chance = random.Random(seed)
    step_s = 0.2
    while not world.stop.wait(step_s):
        try:
            purge(world, edge, chance, [50, 15, 5, 10, 19, 1])
        except (OSError, http.client.HTTPException) as error:
            world.tally.note_wrong(f"the admin API failed: {error!r}")
        if chance.random() < step_s / 5:
            edge.signal(signal.SIGHUP)
            world.tally.count("reloads asked for")
        if chance.random() < step_s / 15:
            edge.signal(signal.SIGUSR1)
        if chance.random() < step_s / kill_every_s and (pids := edge.worker_pids()):
            edge.kill_worker(chance.choice(pids))
            world.tally.count("workers killed")


def purge(world: World, edge: Edge, chance: random.Random, weights: list[int]) -> None:
    """Purge something; `weights` are of a changed object, URL, prefix, tag, soft purge, all."""
    number = chance.randrange(CHANGING)
    kind = chance.choices(["change", "url", "prefix", "tag", "soft", "all"], weights)[0]
    match kind:
        case "change":
            version = world.catalogue.change(number)
            edge.purge(url=edge.url(f"/changing/{number}"))
            world.catalogue.raise_floor(number, version)
        case "url":
            edge.purge(url=edge.url(f"/fixed/{chance.randrange(FIXED)}"))
        case "prefix":
            edge.purge(prefix=edge.url(f"/fixed/{chance.randrange(10)}"))
        case "tag":
            edge.purge(tag=f"fixed-{chance.randrange(7)}")
        case "soft":
            edge.purge(url=edge.url(f"/fixed/{chance.randrange(FIXED)}"), soft=True)
        case _:
            edge.purge(all=True)
    world.tally.count(f"purges ({kind})")


def private_bytes(edge: Edge) -> dict[int, int]:
    """Each worker's memory that is its own: mapped cache files are not counted."""
    found = {}
    for pid in edge.worker_pids():
        try:
            memory = psutil.Process(pid).memory_info()
        except psutil.Error:
            continue
        found[pid] = memory.rss - memory.shared
    return found
