"""Probes and reports, measured."""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import time
from collections import Counter
from dataclasses import dataclass

import msgspec
import uvloop

from bench.probes.servers import HOST, FakeServers
from headrace.feedback.observation import Outcome
from headrace.feedback.observe.prober import Prober, ProbeTimes
from headrace.feedback.observe.targets import Probe, Target
from headrace.telemetry.flow_sums import FlowOrder
from headrace.telemetry.flows import Flows
from headrace.telemetry.load_rates import NodeState, Reading, load_report
from headrace.telemetry.load_report import decode_report, encode_report
from headrace.telemetry.machine import Machine
from headrace.telemetry.metrics import BOUNDS_S
from headrace.telemetry.worker_load import WorkerLoad

WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Probed:
    """How late probes began, what each took of the processor, and how they ended."""

    servers: int
    seconds: float
    probes: int
    late_p50_s: float
    late_p99_s: float
    late_most_s: float
    cpu_share: float
    outcomes: dict[str, int]
    unmade: int


def probe(servers: int, seconds: float, *, tls: bool, faulty: bool) -> Probed:
    """Probe so many servers each second, on one processor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8 * servers)), hard))
    fake = FakeServers(servers, tls=tls, faulty=faulty)
    everywhere = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(everywhere)})
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_probe(fake, seconds, tls=tls))
    finally:
        os.sched_setaffinity(0, everywhere)
        fake.close()


async def _probe(fake: FakeServers, seconds: float, *, tls: bool) -> Probed:
    outcomes: Counter[str] = Counter()
    late: list[float] = []

    def note(_server: str, outcome: Outcome, _first: float | None, _total: float | None) -> None:
        outcomes[outcome] += 1

    targets = [
        Target(f"n{number}", ("127.0.0.1",), None if tls else port, port if tls else None)
        for number, port in enumerate(fake.ports)
    ]
    prober = Prober(targets, [Probe(HOST, "/probe")], note, ProbeTimes(), fake.ca)
    running = asyncio.create_task(prober.run())
    await asyncio.sleep(WARM_UP_S)
    outcomes.clear()
    prober.late_s.clear()
    unmade = prober.unmade
    began_s, used_s = time.monotonic(), time.process_time()
    while time.monotonic() - began_s < seconds:
        await asyncio.sleep(0.5)
        late += prober.late_s
        prober.late_s.clear()
    spent_s, used_s = time.monotonic() - began_s, time.process_time() - used_s
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    late.sort()
    return Probed(
        servers=len(targets),
        seconds=spent_s,
        probes=len(late),
        late_p50_s=late[len(late) // 2],
        late_p99_s=late[len(late) * 99 // 100],
        late_most_s=late[-1],
        cpu_share=used_s / spent_s,
        outcomes=dict(outcomes),
        unmade=prober.unmade - unmade,
    )


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report takes of a supervisor, and of who reads it, in seconds of the processor."""

    workers: int
    flows: int
    size_bytes: int
    made_s: float
    read_s: float


def report(workers: int, flows: int, times: int = 50) -> Reported:
    """Make and read reports of so many workers, each with so many flows. All that a supervisor
    does is counted: decoding what workers say, reading the machine's counts, and encoding.
    """
    machine, state = Machine(), NodeState("n1", "edge", ready=True, draining=False, processors=8)
    names = FlowOrder()
    made: list[float] = []
    read: list[float] = []
    before: Reading | None = None
    size_bytes = 0
    for number in range(1, times + 2):
        said = _said(workers, flows, number)
        began_s = time.process_time()
        answers = {one.instance: one for one in map(_decoded, said)}
        names.take(answers)
        after = Reading(float(number), answers, machine.use())
        if before is not None:
            data = encode_report(load_report(before, after, names, state))
            made.append(time.process_time() - began_s)
            began_s = time.process_time()
            decode_report(data)
            read.append(time.process_time() - began_s)
            size_bytes = len(data)
        before = after
    return Reported(workers, flows, size_bytes, statistics.median(made), statistics.median(read))


def _decoded(data: bytes) -> WorkerLoad:
    return msgspec.json.decode(data, type=WorkerLoad)


def _said(workers: int, flows: int, second: int) -> list[bytes]:
    """Return what workers say after so many seconds; names of flows the first time alone."""
    table = Flows()
    for number in range(flows):
        flow = table.of(f"coverage-{number // 10}", f"class-{number % 10}")
        flow.bytes, flow.requests = 10**6 * second, 100 * second
    first = second == 1
    buckets = [1000 * second] * (len(BOUNDS_S) + 1)
    return [
        msgspec.json.encode(
            WorkerLoad(
                instance=str(number), cpu_s=float(second), bytes_sent=10**9 * second,
                requests=10**5 * second, first_byte=buckets, origin_wait=buckets,
                table=str(number), pairs_from=0 if first else len(table.pairs),
                pairs=table.pairs if first else [], flows=table.packed(),
                siblings={f"n{other}": (10 * second, 0) for other in range(20)},
            )
        )
        for number in range(workers)
    ]  # fmt: skip
