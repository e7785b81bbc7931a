"""What it costs a miss that its body could be continued from another origin, while none fails."""

from __future__ import annotations

import time

from bench.speed import load
from bench.speed.figures import median
from bench.speed.peers import start_headrace
from bench.speed.processes import Program
from bench.speed.stand import Stand
from bench.speed.steady import Ask, Load
from bench.speed.work import SEGMENT_BYTES
from bench.speed.works import MISS_CONNECTIONS

TURNS = 10
MISSES = 300  # in each turn, at most
HOSTS = {"one": 1, "three": 3}


def cost_ratio(stand: Stand, number: int, seconds: float) -> float:
    """Processor time of a miss with three origins that can be switched between, as a multiple of
    that with one. Raises WrongAnswer, NotStarted.

    One process serves both, in turn: two processes differ by a tenth, whatever they do.
    """
    costs: dict[str, list[float]] = {host: [] for host in HOSTS}
    with stand.place(f"pools-{number}") as place:
        config = place.filled("origin.conf", "origin.conf")
        origin = Program(
            ["nginx", "-c", str(config)], load.LOAD_CORE, place.directory / "origin.out"
        )
        with origin.stopped_at_end():
            origin.wait_for(place.origin)
            edge = start_headrace(place, origins=_services(place.origin))
            with edge.stopped_at_end():
                edge.wait_for(place.plain)
                for turn in range(TURNS):
                    hosts = list(HOSTS)
                    for host in hosts if turn % 2 == 0 else hosts[::-1]:
                        digest = stand.quick_digests["segment"]
                        costs[host].append(_cost_us(edge, place.plain, host, digest, seconds))
    return median(costs["three"]) / median(costs["one"])


def _services(origin_port: int) -> str:
    """The bench's own service, and one for each host, whose origins are one server."""
    url = f"http://127.0.0.1:{origin_port}"
    text = f'origins = ["{url}"]\n'
    for host, count in HOSTS.items():
        text += f'[[service]]\nname = "{host}"\nhosts = ["{host}"]\n[[service.pool]]\nname = "p"\n'
        for number in range(count):
            text += f'[[service.pool.origin]]\nname = "o{number}"\nurl = "{url}"\n'
    return text


def _cost_us(edge: Program, port: int, host: str, digest: int, seconds: float) -> float:
    run_id = time.monotonic_ns()

    def ask(number: int) -> Ask:
        path = f"/miss/{run_id}-{number}"
        return Ask("miss", path, SEGMENT_BYTES, digest, host=host)

    with Load(port, MISS_CONNECTIONS) as client:
        before_s = edge.cpu_s()
        outcome = client.flat_out(ask, seconds, MISSES)
        if not outcome.answers:
            raise load.WrongAnswer("nothing was answered")
        return 1e6 * (edge.cpu_s() - before_s) / outcome.answers
