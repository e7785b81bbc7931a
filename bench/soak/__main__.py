"""`python -m bench.soak --seconds 180`: exit code 1 on any wrong byte, status or log line."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.harness.certificates import Authority
from tests.harness.edge import HOST, Edge, free_port, running_edge
from tests.harness.held import held_by
from tests.harness.origin import Origin
from tests.harness.wire import Client

from bench.soak.clients import World, impatient, plainly, securely, slow, steady, writing
from bench.soak.objects import Catalogue, Script
from bench.soak.operator import operate, private_bytes
from bench.soak.tally import Tally

MIB = 1024 * 1024
STORE_BYTES = 200 * MIB
BLOCK_BYTES = 4096
OPEN_FILES = 256
SPARE_FILES = 16
BACK_WITHIN_S = 30.0
EXPECTED_ERRORS = {"worker_died", "stored_slice_unreadable"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fault-share", type=float, default=0.02, help="of the origin's answers")
    parser.add_argument("--chunked-share", type=float, default=0.15, help="of the same")
    parser.add_argument("--kill-every", type=float, default=15.0, help="seconds; a mean")
    parser.add_argument(
        "--growth-mib", type=int, default=128, help="private memory a worker may gain"
    )
    parser.add_argument("--log", type=Path, help="keep a copy of the edge's log here")
    options = parser.parse_args()
    print(f"soaking for {options.seconds:g} s with seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="headrace-soak-") as directory:
        return soak(Path(directory), options)


def soak(directory: Path, options: argparse.Namespace) -> int:
    """Start everything, wait, and judge."""
    authority = Authority(directory / "authority")
    pair = authority.issue(HOST)
    secure_port = free_port()
    settings: dict[str, object] = {
        "workers": options.workers,
        "listen": [{"address": f"127.0.0.1:{secure_port}", "tls": True}],
        "certificate": [{"cert": pair.cert, "key": pair.key}],
        "store": {
            "size": STORE_BYTES,
            "slice": "256KiB",
            "checksum": "on_open",
            "memory": "8MiB",
            "open_files": OPEN_FILES,
        },
        "access_log": {"path": directory / "access.log"},
        "timeouts": {"origin_first_byte": 5, "origin_between_bytes": 5},
    }
    catalogue, tally = Catalogue(), Tally()
    script = Script(catalogue, options.fault_share, options.chunked_share, options.seed)
    with (
        Origin() as origin,
        running_edge(origin.url, directory / "edge", settings, check=False) as edge,
    ):
        origin.keep_requests = False
        origin.serve_under("/", script)
        world = World(
            catalogue, tally, threading.Event(), edge.address, ("127.0.0.1", secure_port),
            authority.client_context(),
        )  # fmt: skip
        threads = start(world, edge, options)
        early = measure_after(edge, options.seconds * 0.3)
        late = measure_after(edge, options.seconds * 0.7)
        world.stop.set()
        for thread in threads:
            thread.join(60)
            if thread.is_alive():
                tally.note_wrong(f"{thread.name} hangs")
        tally.count("origin faults", script.faults)
        given_back(edge, tally)
        finish(edge, tally, options.log)
    return report(tally, early, late, options.growth_mib * MIB)


def start(world: World, edge: Edge, options: argparse.Namespace) -> list[threading.Thread]:
    plain, secure = plainly(world), securely(world)

    def slowly() -> Client:
        return Client(world.plain, receive_buffer_bytes=16 * 1024, timeout_s=30)

    threads = [
        *(threading.Thread(target=steady, args=(world, plain, seed)) for seed in range(4)),
        *(threading.Thread(target=steady, args=(world, secure, 10 + seed)) for seed in range(3)),
        *(threading.Thread(target=slow, args=(world, slowly, 20 + seed)) for seed in range(2)),
        threading.Thread(target=impatient, args=(world, plain, 30)),
        threading.Thread(target=impatient, args=(world, secure, 31)),
        threading.Thread(target=writing, args=(world, plain, 40)),
        threading.Thread(
            target=operate,
            args=(world, edge, options.seed),
            kwargs={"kill_every_s": options.kill_every},
        ),
    ]
    for thread in threads:
        thread.daemon = True
        thread.start()
    return threads


def measure_after(edge: Edge, seconds: float) -> dict[int, int]:
    """Wait, then take each worker's private memory."""
    time.sleep(seconds)
    return private_bytes(edge)


def given_back(edge: Edge, tally: Tally) -> None:
    """Once nobody asks any more, files and disk must be back within seconds."""
    most_files = OPEN_FILES * 2 * 2  # kept on purpose: a file's descriptor, its mapping's
    until = time.monotonic() + BACK_WITHIN_S
    while True:
        pids = edge.worker_pids()
        now = held_by(pids, edge.cache_dir)
        allowed = len(pids) * (most_files + SPARE_FILES)
        if not now.deleted_files and now.files <= allowed:
            break
        if time.monotonic() > until:
            tally.note_wrong(f"at the end workers hold {now}; {allowed} open files are allowed")
            break
        time.sleep(0.5)
    tally.count("files open at the end", now.files)
    tally.count("descriptors at the end", now.descriptors)
    files = [path for path in (edge.cache_dir / "objects").rglob("*") if path.is_file()]
    used = sum(path.stat().st_blocks * 512 for path in files)
    # The store counts bytes, the file system blocks: up to one more for each file.
    if used > STORE_BYTES + BLOCK_BYTES * len(files):
        tally.note_wrong(f"the slice files take {used} bytes, more than the store's size")


def finish(edge: Edge, tally: Tally, log_copy: Path | None) -> None:
    """Stop the edge and look into its log; keep a copy of it if asked to."""
    edge.expected_errors |= EXPECTED_ERRORS
    if edge.process.poll() is not None:
        tally.note_wrong("the edge ended by itself")
    elif edge.stop() != 0:
        tally.note_wrong("the edge did not end cleanly")
    for problem in edge.problems():
        tally.note_wrong(f"in the log: {problem}")
    if log_copy is not None:
        log_copy.write_text(edge.log())


def report(tally: Tally, early: dict[int, int], late: dict[int, int], growth_bytes: int) -> int:
    """Print what happened; the exit code."""
    print(tally.table())
    print("  private memory of workers, MiB:")
    print("    early", {pid: round(size / MIB, 1) for pid, size in early.items()})
    print("    late ", {pid: round(size / MIB, 1) for pid, size in late.items()})
    for pid in early.keys() & late.keys():
        if late[pid] - early[pid] > growth_bytes:
            tally.note_wrong(f"worker {pid} grew by {(late[pid] - early[pid]) / MIB:.0f} MiB")
    if tally.counts["bodies whole and right"] < 100:
        tally.note_wrong("hardly anything was served")
    for line in tally.wrong:
        print("WRONG", line)
    print("wrong" if tally.wrong else "right")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
