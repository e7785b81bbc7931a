"""`python -m bench.soak.network --seconds 180`: the soak for a whole network.

Servers of a site, one above it and a router; workers are killed and frozen, servers restarted, the
description changes, purges are told to one server, which must never again give what was there
before, whichever server had it. Exit code 1 on any wrong byte, status or log line.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from tests.harness.certificates import Authority
from tests.harness.edge import Edge, free_port
from tests.harness.held import held_by
from tests.harness.origin import Origin
from tests.harness.router import Router
from tests.harness.sites import RunningSite, running_site
from tests.harness.wire import Client

from bench.soak.clients import World, ask, choose, impatient, minded, plainly, slow, steady
from bench.soak.network_trouble import describe, operate, trouble_router
from bench.soak.objects import Catalogue, Script
from bench.soak.tally import Tally

MIB = 1024 * 1024
NAMES = ("one", "two", "three", "four", "mid")
OPEN_FILES = 256
SPARE_FILES = 16
BACK_WITHIN_S = 30.0
KILLED = "SIGKILL"
BAD_DESCRIPTION = ("network_refused", "network_last_good_used")
EXPECTED_ERRORS = {
    "worker_died", "no_worker_serves", "stored_slice_unreadable", "worker_silent", "worker_stuck",
    "origin_switch_failed",  # a server died in mid-body and the object has changed: a visible cut
}  # fmt: skip
SETTINGS: dict[str, object] = {
    "workers": 1,
    "store": {"size": 100 * MIB, "slice": "256KiB", "memory": "8MiB", "open_files": OPEN_FILES},
    "timeouts": {"origin_first_byte": 5, "origin_between_bytes": 5},
    "limits": {"origin_requests_per_address": 1000, "connections": 1000},
}


class OneServers(Catalogue):
    """The catalogue as one server's clients see it: what that one was told is purged."""

    def __init__(self, all_servers: Catalogue) -> None:
        super().__init__()
        self.lock, self.versions = all_servers.lock, all_servers.versions


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak.network", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--store", default="popular", choices=["own", "popular", "always"])
    parser.add_argument("--fault-share", type=float, default=0.02, help="of the origin's answers")
    parser.add_argument(
        "--certificates", action="store_true", help="servers know each other by TLS, not a secret"
    )
    parser.add_argument("--logs", type=Path, help="keep the servers' logs in this directory")
    options = parser.parse_args()
    print(f"soaking for {options.seconds:g} s with seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="headrace-soak-") as directory:
        return soak(Path(directory), options)


def soak(directory: Path, options: argparse.Namespace) -> int:
    """Start everything, wait, and judge."""
    catalogue, tally, stop = Catalogue(), Tally(), threading.Event()
    script = Script(catalogue, options.fault_share, 0.15, options.seed)
    content = {"store": options.store, "popular_after": 3}
    authority = Authority(directory / "authority") if options.certificates else None
    tiering = {"first_byte": "100ms", "answer": "1s"}
    with (
        Origin() as origin,
        running_site(
            origin.url,
            directory / "site",
            NAMES,
            content,
            SETTINGS,
            tiering,
            mid=("mid",),
            peer_tls=authority,
            mutual=options.certificates,
        ) as site,
        Router(directory) as router,
    ):
        origin.keep_requests = False
        origin.serve_under("/", script)
        for edge in site.edges.values():
            edge.expected_errors |= EXPECTED_ERRORS
        worlds = {
            name: World(OneServers(catalogue), tally, stop, site.places[name]) for name in NAMES
        }
        description = directory / "site" / "network.toml"
        start_router(router, description)
        threads = [
            *start(worlds, site, description, options.seed),
            *start_of_router(worlds["one"], site, router, options.seed),
        ]
        stop.wait(options.seconds)
        stop.set()
        for thread in threads:
            thread.join(60)
            if thread.is_alive():
                tally.note_wrong(f"{thread.name} hangs")
        tally.count("origin faults", script.faults)
        for name, edge in site.edges.items():
            given_back(name, edge, tally)
            finish(name, edge, tally, options.logs)
    return report(tally)


def start_router(router: Router, description: Path) -> None:
    """Start a router of this network, at a port that it has again after a restart."""
    router.network = description
    listen = f'[[listen]]\naddress = "127.0.0.1:{free_port()}"'
    router.write(listen=listen)
    router.start()


def start_of_router(
    world: World, site: RunningSite, router: Router, seed: int
) -> list[threading.Thread]:
    """Start the router's client and its troublemaker. No server is told that client's purges."""
    catalogue = OneServers(world.catalogue)
    own = World(catalogue, world.tally, world.stop, router.address)
    threads = [
        threading.Thread(target=routed, args=(own, site.places, seed + 100), name="routed"),
        threading.Thread(target=trouble_router, args=(own, router, seed), name="router"),
    ]
    for thread in threads:
        thread.daemon = True
        thread.start()
    return threads


def start(
    worlds: dict[str, World], site: RunningSite, description: Path, seed: int
) -> list[threading.Thread]:
    threads = [
        threading.Thread(target=operate, args=(worlds, site, seed), name="operator"),
        threading.Thread(
            target=describe, args=(worlds["one"], description, seed), name="description"
        ),
    ]
    for number, world in enumerate(worlds.values()):

        def slowly(world: World = world) -> Client:
            return Client(world.plain, receive_buffer_bytes=16 * 1024, timeout_s=30)

        plain = plainly(world)
        threads += [
            threading.Thread(target=steady, args=(world, plain, seed + 10 * number)),
            threading.Thread(target=steady, args=(world, plain, seed + 10 * number + 1)),
            threading.Thread(target=slow, args=(world, slowly, seed + 10 * number + 2)),
            threading.Thread(target=impatient, args=(world, plain, seed + 10 * number + 3)),
        ]
    for thread in threads:
        thread.daemon = True
        thread.start()
    return threads


def routed(world: World, places: dict[str, tuple[str, int]], seed: int) -> None:
    """Asks the router for each object, and gets it where it is sent."""
    chance = random.Random(seed)
    while not world.stop.is_set():
        with minded(world), plainly(world)() as client:
            for _ in range(chance.randint(1, 50)):
                named = choose(chance)
                found = client.get(named.path)
                if found.status != 302:
                    world.tally.note_wrong(f"the router answered {found.status}")
                    return
                world.tally.count("redirects")
                name = str(urlsplit(found.header("location")).hostname).partition(".")[0]
                server = replace(world, plain=places[name])
                with plainly(server)() as of_server:
                    ask(server, of_server, named, chance)
                if world.stop.wait(0.02):
                    return


def given_back(name: str, edge: Edge, tally: Tally) -> None:
    """Once nobody asks any more, files must be back within seconds."""
    allowed = OPEN_FILES * 2 * 2 + SPARE_FILES
    until = time.monotonic() + BACK_WITHIN_S
    while True:
        now = held_by(edge.worker_pids(), edge.cache_dir)
        if not now.deleted_files and now.files <= allowed:
            return
        if time.monotonic() > until:
            tally.note_wrong(f"at the end {name} holds {now}; {allowed} open files are allowed")
            return
        time.sleep(0.5)


def finish(name: str, edge: Edge, tally: Tally, logs: Path | None) -> None:
    """Stop a server and look into its log; keep a copy of it if asked to."""
    hedges = edge.metric("headrace_peer_hedges_total")
    tally.count("hedges", int(hedges))
    tally.count("servers left alone", int(edge.metric("headrace_origin_ejections_total")))
    tally.count("switches in mid-body", int(edge.metric("headrace_origin_switches_total")))
    if edge.process.poll() is not None:
        tally.note_wrong(f"{name} ended by itself")
    elif edge.stop() != 0:
        tally.note_wrong(f"{name} did not end cleanly")
    for death in edge.events("worker_died"):
        if KILLED not in str(death["reason"]):
            tally.note_wrong(f"a worker of {name} died by itself: {death}")
    for problem in edge.problems():
        if not any(event in problem for event in BAD_DESCRIPTION):
            tally.note_wrong(f"in the log of {name}: {problem}")
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)
        (logs / f"{name}.log").write_text(edge.log())


def report(tally: Tally) -> int:
    """Print what happened; the exit code."""
    print(tally.table())
    if tally.counts["bodies whole and right"] < 100:
        tally.note_wrong("hardly anything was served")
    for line in tally.wrong:
        print("WRONG", line)
    print("wrong" if tally.wrong else "right")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
