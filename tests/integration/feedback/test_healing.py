"""A network that heals itself: edges, a router over HTTP and DNS, and the feedback loop, all with
default settings. A server that is of no use gets no new client, and gets them again afterwards.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.harness.dns_messages import values
from tests.harness.dns_server import free_port as free_udp_port
from tests.harness.edge import Edge, free_port, running_edge
from tests.harness.feedback import HOST, PATH, SECRET, Feedback
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.probed import BODY, Background, Manner, ProbedServer
from tests.harness.replies import Reply
from tests.harness.router import Router
from tests.harness.toml import to_toml

PATIENCE_S = 20.0
PATHS = [f"/film-{number}/1.m4s" for number in range(6)]
CLIENTS = [f"127.0.{number}.7" for number in range(2, 8)]
ADDRESSES = {"n1": "127.0.1.1", "n2": "127.0.1.2", "s1": "127.0.1.3", "s2": "127.0.1.4"}


@dataclass
class Network:
    """All of it. `edges` are the servers of one site, `others` those of the other."""

    edges: dict[str, Edge]
    others: dict[str, ProbedServer]
    router: Router
    dns_port: int
    feedback: Feedback

    def told_by_http(self) -> set[str]:
        """Return the servers that new clients are sent to."""
        asked = itertools.product(CLIENTS, PATHS)
        found = {self.router.location(path, client) for client, path in asked}
        return {one.removeprefix("http://").partition(".")[0] for one in found}

    def told_by_dns(self) -> set[str]:
        """Return the servers whose addresses new clients are told."""
        names = {address: name for name, address in ADDRESSES.items()}
        found: set[str] = set()
        for client in CLIENTS:
            question = dns.message.make_query(HOST, "A")
            answer = dns.query.udp(question, "127.0.0.1", 10, self.dns_port, source=client)
            found |= {names[address] for address in values(answer)}
        return found

    def told(self) -> set[str]:
        """Return the servers that new clients are told in either way."""
        return self.told_by_http() | self.told_by_dns()

    def all_are_told(self) -> None:
        """Wait until new clients are told of all servers."""
        _until(lambda: self.told() == set(ADDRESSES), f"all are told, not {self.told()}")

    def state(self, server: str) -> str:
        """Return the state of a server."""
        rows = {row["server"]: row["state"] for row in self.feedback.status()["servers"]}
        return str(rows[server])

    def is_left(self, server: str, why: str, began: float) -> None:
        """Wait until no new client is told of a server, and say how long that took."""
        _until(lambda: server not in self.told(), f"nobody is told of {server}")
        took_s = time.monotonic() - began
        print(f"{server} was left {took_s:.2f} s after it {why}")
        assert self.told(), "nobody is left"

    def is_told_again(self, server: str) -> None:
        """Wait until new clients are told of a server."""
        _until(lambda: server in self.told(), f"clients are told of {server}")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """One network for all: each test ends with all servers back, but for the last."""
    tmp_path = tmp_path_factory.mktemp("network")
    with contextlib.ExitStack() as stack:
        background = stack.enter_context(Background())
        origin = stack.enter_context(Origin())
        headers = (("Cache-Control", "max-age=3600"),)
        origin.serve(PATH, Reply(headers=headers, body=BODY))
        others = {name: ProbedServer(background, ADDRESSES[name]) for name in ("s1", "s2")}
        ports = {name: free_port() for name in ("n1", "n2")}
        ports |= {name: one.port for name, one in others.items()}
        description = tmp_path / "network.toml"
        description.write_text(to_toml(_description(ports)))
        secret = tmp_path / "secret"
        secret.write_text(SECRET + "\n")
        feedback = stack.enter_context(Feedback(tmp_path / "feedback", "a", free_port()))
        feedback.write(description, tables='[states]\nramp = "1s"\n')
        follow: dict[str, object] = {
            "file": description,
            "secret_file": secret,
            "view_from": [f"http://127.0.0.1:{feedback.port}"],
        }
        dns_port = free_udp_port()
        router = stack.enter_context(Router(_directory(tmp_path / "router")))
        router.file.write_text(to_toml(_router(router, follow, dns_port)))
        router.launch()
        edges = {
            name: stack.enter_context(
                running_edge(
                    origin.url,
                    tmp_path / name,
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
        router.event("ready")
        feedback.start()
        yield Network(edges, others, router, dns_port, feedback)
        for edge in edges.values():
            _send(edge, signal.SIGCONT)


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


def _description(ports: dict[str, int]) -> dict[str, object]:
    return {
        "site": [{"name": "north"}, {"name": "south"}],
        "server": [
            {
                "name": name, "site": "north" if name[0] == "n" else "south",
                "host": f"{name}.example", "ipv4": [address], "http_port": ports[name],
                "https_port": 0,
            }
            for name, address in ADDRESSES.items()
        ],
        "coverage": [
            {"name": "all", "default": True, "sites": [{"name": "north"}, {"name": "south"}]}
        ],
        "class": [{"name": "vod", "hosts": [HOST], "ttl": "1s"}],
    }  # fmt: skip


def _router(router: Router, follow: dict[str, object], dns_port: int) -> dict[str, object]:
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


def _send(edge: Edge, number: signal.Signals) -> None:
    for pid in (edge.process.pid, *edge.worker_pids()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def test_a_server_that_is_killed_or_frozen_is_left_and_comes_back(network: Network) -> None:
    network.all_are_told()

    began = time.monotonic()
    network.edges["n1"].kill_everything()
    network.is_left("n1", "was killed", began)
    assert network.state("n1") == "failed"
    network.edges["n1"].start_again()
    network.is_told_again("n1")

    began = time.monotonic()
    _send(network.edges["n2"], signal.SIGSTOP)
    network.is_left("n2", "was frozen", began)
    assert network.state("n2") == "failed"
    _send(network.edges["n2"], signal.SIGCONT)
    network.is_told_again("n2")
    history = network.feedback.ask("GET", "/feedback/history?about=n2").body.decode()
    assert "timeout" in history
    because = network.feedback.ask("GET", "/feedback/why?name=north").json()["lines"]
    assert any(line.startswith("n1 is ") for line in because)


@pytest.mark.parametrize(("manner", "word"), [(Manner.LIES, "wrong_bytes"), (Manner.DRIPS, "slow")])
def test_a_server_with_wrong_or_slow_bytes_is_left(
    network: Network, manner: Manner, word: str
) -> None:
    network.all_are_told()
    began = time.monotonic()
    network.others["s1"].become(manner)
    network.is_left("s1", f"was {word}", began)
    assert word in network.feedback.ask("GET", "/feedback/history?about=s1").body.decode()
    network.others["s1"].become(Manner.WELL)
    network.is_told_again("s1")


def test_nodes_continue_with_the_last_view_when_the_loop_is_gone(network: Network) -> None:
    network.all_are_told()
    began = time.monotonic()
    network.others["s2"].become(Manner.GONE)
    network.is_left("s2", "was gone", began)
    network.feedback.kill()
    time.sleep(3)
    assert network.told() == set(ADDRESSES) - {"s2"}
    network.others["s2"].become(Manner.WELL)
    network.feedback.start()
    network.is_told_again("s2")


def test_a_server_that_flaps_is_kept_out(network: Network) -> None:
    network.all_are_told()
    flapping = network.others["s2"]

    def suppressed() -> bool:
        rows = {row["server"]: row for row in network.feedback.status()["servers"]}
        return bool(rows["s2"]["suppressed"])

    for _flap in range(8):
        flapping.become(Manner.GONE)
        _until(lambda: network.state("s2") == "failed", "it failed")
        flapping.become(Manner.WELL)
        _until(lambda: network.state("s2") != "failed" or suppressed(), "it is back")
        if suppressed():
            break
    assert suppressed()
    time.sleep(6)
    assert "s2" not in network.told()


def _until(holds: Callable[[], bool], what: str) -> None:
    """Wait, without keeping the processes that are waited for from running."""
    eventually(holds, what, PATIENCE_S, every_s=0.2)
