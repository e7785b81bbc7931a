"""What a request costs the processor stays in proportion to its bytes, whatever they are.

Measured is the worker's own processor time, and the bounds are many times what is needed: without
the defence the cost grows with the square of the bytes.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.harness.certificates import Authority
from tests.harness.edge import Edge, free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable

MOST_CPU_S = 1.0
LANGUAGES = [f"l{number}" for number in range(20)]


class Costly:
    """An edge of one worker, with TLS, before a scripted origin."""

    def __init__(self, edge: Edge, port: int) -> None:
        self.edge = edge
        self.tls_port = port

    def cpu_s(self, act: Callable[[], None]) -> float:
        """Processor time of the worker while `act` runs."""
        (worker,) = self.edge.worker_pids()
        process = psutil.Process(worker)
        before = process.cpu_times()
        act()
        after = process.cpu_times()
        return after.user + after.system - before.user - before.system


@pytest.fixture(scope="module")
def costly(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Costly]:
    directory: Path = tmp_path_factory.mktemp("costly")
    pair = Authority(directory / "authority").issue("one.test")
    port = free_port()
    overrides: dict[str, object] = {
        "workers": 1,
        "certificate": [{"cert": pair.cert, "key": pair.key}],
        "listen": [{"address": f"127.0.0.1:{port}", "tls": True}],
        "service": {"cache": {"languages": LANGUAGES}},
        "timeouts": {"tls_handshake": "30s", "head": "30s"},
    }
    with running_edge(origin.url, directory, overrides) as edge:
        yield Costly(edge, port)


@pytest.mark.parametrize("element", [",", " ,", ", ", '",', "a,", 'a=",'])
def test_a_long_cache_control_costs_little(
    costly: Costly, origin: Origin, path: str, element: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    value = (element * 30_000)[:30_000] + '"'

    def ask() -> None:
        for _ in range(3):
            assert costly.edge.get(path, ("Cache-Control", value)).status == 200

    assert costly.cpu_s(ask) < MOST_CPU_S


def test_a_long_cache_control_of_an_origin_costs_little(
    costly: Costly, origin: Origin, path: str
) -> None:
    fields = (("Cache-Control", "," * 100_000 + '"'),)
    origin.serve(path, Reply(headers=fields, body=b"x"))

    def ask() -> None:
        assert costly.edge.get(path).status == 200

    assert costly.cpu_s(ask) < MOST_CPU_S


@pytest.mark.parametrize("element", ["a,", '"",', "l,"])
def test_a_long_accept_language_costs_little(
    costly: Costly, origin: Origin, path: str, element: str
) -> None:
    origin.serve(path, cacheable(b"x", vary="Accept-Language"))
    value = (element * 30_000)[:30_000]

    def ask() -> None:
        for _ in range(10):
            assert costly.edge.get(path, ("Accept-Language", value)).status == 200

    assert costly.cpu_s(ask) < MOST_CPU_S


def test_a_hello_in_many_records_costs_little(costly: Costly) -> None:
    message = b"\x01\x00\x7f\xff" + bytes(10_000)
    data = b"".join(b"\x16\x03\x01\x00\x01" + bytes([code]) for code in message)

    def drip() -> None:
        with socket.create_connection(("127.0.0.1", costly.tls_port), 10) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(data[:58_000])
            for code in data[58_000:59_500]:
                sock.sendall(bytes([code]))
                time.sleep(0.002)  # so that each comes alone

    assert costly.cpu_s(drip) < MOST_CPU_S
