"""How long clients and siblings are sent to a server that is gone: `python -m bench.healing`.

Real processes with default settings on one machine: two edges of a site and two light servers of
another, a router over HTTP and DNS, and three observers. Clients ask the router all the time, and
others ask one edge for objects of which the second edge owns a part. Then the second is killed
(SIGKILL) or frozen (SIGSTOP), at any phase of the probes. What is said is how long after that the
last answer named it, and the last request from its sibling began.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.query
from tests.harness.dns_messages import values
from tests.harness.dns_server import free_port as free_udp_port
from tests.harness.edge import Edge, free_port, running_edge
from tests.harness.feedback import HOST, PATH, SECRET, Feedback
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.probed import BODY, Background, ProbedServer
from tests.harness.replies import Reply
from tests.harness.router import Router
from tests.harness.toml import to_toml

OBSERVERS = ("a", "b", "c")
ADDRESSES = {"n1": "127.0.1.1", "n2": "127.0.1.2", "s1": "127.0.1.3", "s2": "127.0.1.4"}
CLIENTS = [f"127.0.{number}.7" for number in range(2, 12)]
GONE = "n2"
EVERY_S = 0.02
WATCHED_S = 8.0
PATIENCE_S = 60.0


@dataclass(slots=True)
class Watch:
    """When answers named the server last, by who answered, and when its sibling asked it last."""

    last: dict[str, float] = field(default_factory=dict)
    asked: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def repeat(self, step: Callable[[], None], every_s: float = EVERY_S) -> threading.Thread:
        """Do this again and again in a thread, until it is stopped."""

        def run() -> None:
            while not self.stop.wait(every_s):
                with contextlib.suppress(OSError, dns.exception.DNSException, AssertionError):
                    step()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread


@dataclass(slots=True)
class Network:
    """All of it."""

    edges: dict[str, Edge]
    places: dict[str, tuple[str, int]]
    router: Router
    dns_port: int
    observers: list[Feedback]

    def told_by_http(self, path: str, client: str) -> str:
        """Return the server that a client is sent to."""
        return self.router.location(path, client).removeprefix("http://").partition(".")[0]

    def told_by_dns(self, client: str) -> set[str]:
        """Return the servers whose addresses a client is told."""
        names = {address: name for name, address in ADDRESSES.items()}
        question = dns.message.make_query(HOST, "A")
        answer = dns.query.udp(question, "127.0.0.1", 2, self.dns_port, source=client)
        return {names[address] for address in values(answer)}

    def sibling_requests(self) -> float:
        """Return how often the other edge of the site has asked the server."""
        text = self.edges["n1"].ask_admin("GET", "/metrics").body.decode()
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith("headrace_origin_requests_total") and f"siblings/{GONE}" in line
        )

    def whom_it_serves(self) -> tuple[list[tuple[str, str]], list[str]]:
        """Return films and clients that are sent to the server, and clients that DNS tells of it;
        none of both, where one is missing.
        """
        some = [(f"/film-{number}/1.m4s", random.choice(CLIENTS)) for number in range(40)]
        films = [one for one in some if self.told_by_http(*one) == GONE]
        clients = [one for one in CLIENTS if GONE in self.told_by_dns(one)]
        return (films, clients) if films and clients else ([], [])


def main() -> None:
    """Measure, and print a line for each way to be gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory, running(Path(directory)) as network:
        for name, number in (("killed", signal.SIGKILL), ("frozen", signal.SIGSTOP)):
            found = [measured(network, number) for _ in range(rounds)]
            for what in ("http", "dns", "sibling"):
                times = sorted(one[what] for one in found)
                listed = ", ".join(f"{one:.2f}" for one in times)
                print(f"{name}, {what}: median {statistics.median(times):.2f} s of {listed}")


def measured(network: Network, number: signal.Signals) -> dict[str, float]:
    """Return how long after the server was gone the last answer named it, and so on."""
    eventually(lambda: any(network.whom_it_serves()), f"{GONE} is named", PATIENCE_S)
    time.sleep(random.uniform(2.0, 3.0))
    films, clients = network.whom_it_serves()
    watch, asked = Watch(), iter(range(10**9))

    def by_http() -> None:
        began = time.monotonic()
        if network.told_by_http(*random.choice(films)) == GONE:
            watch.last["http"] = began

    def by_dns() -> None:
        began = time.monotonic()
        if GONE in network.told_by_dns(random.choice(clients)):
            watch.last["dns"] = began

    def viewer() -> None:
        client = http.client.HTTPConnection(*network.places["n1"], timeout=5.0)
        with contextlib.closing(client):
            path = f"/film-{random.random()}-{next(asked)}/1.m4s"
            client.request("GET", path, headers={"Host": HOST})
            client.getresponse().read()

    def count() -> None:
        began, before = time.monotonic(), watch.asked
        watch.asked = int(network.sibling_requests())
        if watch.asked > before:
            watch.last["sibling"] = began

    threads = [watch.repeat(one) for one in (by_http, by_dns, viewer)]
    threads.append(watch.repeat(count, 0.05))
    time.sleep(2.0)
    assert watch.last.keys() == {"http", "dns", "sibling"}, watch.last
    gone = time.monotonic()
    edge = network.edges[GONE]
    send(edge, number)
    time.sleep(WATCHED_S)
    watch.stop.set()
    for thread in threads:
        thread.join()
    if number is signal.SIGSTOP:
        send(edge, signal.SIGCONT)
    else:
        edge.process.wait(10)
        edge.start_again()
    return {what: max(0.0, last - gone) for what, last in watch.last.items()}


def send(edge: Edge, number: signal.Signals) -> None:
    """Send a signal to an edge and its workers."""
    for pid in (edge.process.pid, *edge.worker_pids()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Network]:
    """Start all of it."""
    with contextlib.ExitStack() as stack:
        background = stack.enter_context(Background())
        origin = stack.enter_context(Origin())
        headers = (("Cache-Control", "max-age=3600"),)
        origin.serve(PATH, Reply(headers=headers, body=BODY))
        origin.serve_under("/film", lambda _asked: Reply(headers=headers, body=b"x" * 1000))
        light = {name: ProbedServer(background, ADDRESSES[name]) for name in ("s1", "s2")}
        ports = {name: free_port() for name in ("n1", "n2")}
        ports |= {name: one.port for name, one in light.items()}
        description, secret = directory / "network.toml", directory / "secret"
        description.write_text(to_toml(described(ports)))
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        urls = {name: f"http://127.0.0.1:{free_port()}" for name in OBSERVERS}
        observers = []
        for name, url in urls.items():
            one = Feedback(directory / name, name, int(url.rpartition(":")[2]))
            observers.append(stack.enter_context(one))
            one.write(description, urls, tables='[states]\nramp = "1s"\nsuppress = 1e6\n')
        follow: dict[str, object] = {
            "file": description,
            "secret_file": secret,
            "view_from": list(urls.values()),
        }
        dns_port = free_udp_port()
        (directory / "router").mkdir()
        router = stack.enter_context(Router(directory / "router"))
        router.file.write_text(to_toml(routing(router, follow, dns_port)))
        edges = {
            name: stack.enter_context(
                running_edge(
                    origin.url,
                    directory / name,
                    {
                        "node_id": name,
                        "workers": 1,
                        "listen": [{"address": f"{ADDRESSES[name]}:{ports[name]}"}],
                        "network": {**follow, "server": name},
                    },
                    check=False,
                )
            )
            for name in ("n1", "n2")
        }
        router.start()
        for one in observers:
            one.launch()
        for one in observers:
            one.event("ready")
        places = {name: (ADDRESSES[name], port) for name, port in ports.items()}
        yield Network(edges, places, router, dns_port, observers)
        for edge in edges.values():
            send(edge, signal.SIGCONT)


def described(ports: dict[str, int]) -> dict[str, object]:
    """Return the description of the network."""
    return {
        "site": [{"name": "north"}, {"name": "south"}],
        "server": [
            {
                "name": name,
                "site": "north" if name[0] == "n" else "south",
                "host": f"{name}.example",
                "ipv4": [address],
                "http_port": ports[name],
                "https_port": 0,
            }
            for name, address in ADDRESSES.items()
        ],
        "coverage": [
            {"name": "all", "default": True, "sites": [{"name": "north"}, {"name": "south"}]}
        ],
        "class": [{"name": "vod", "hosts": [HOST], "ttl": "1s"}],
    }


def routing(router: Router, follow: dict[str, object], dns_port: int) -> dict[str, object]:
    """Return the configuration of the router."""
    return {
        "node_id": "router-1",
        "workers": 1,
        "state_dir": router.cache_dir,
        "network": follow,
        "admin": {"listen": "127.0.0.1:0"},
        "listen": [{"address": "127.0.0.1:0"}],
        "dns": {
            "listen": [f"127.0.0.1:{dns_port}"],
            "zone": [{"name": HOST, "nameservers": ["ns.example"]}],
        },
    }


if __name__ == "__main__":
    main()
