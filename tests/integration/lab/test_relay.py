"""A relay between two namespaces: everything arrives, whole, and later."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

from headrace.lab.network.relay import read_counts
from tests.harness.namespaces import Namespaces
from tests.harness.polling import eventually

DELAY_S = 0.02
SEGMENT_BYTES = 1448
CONNECT = """
import hashlib, socket, sys, time
began = time.monotonic()
one = socket.create_connection((sys.argv[1], 80), 10)
took = time.monotonic() - began
got = hashlib.sha256()
while block := one.recv(65536):
    got.update(block)
print(took, got.hexdigest())
"""


# By broadcast: nobody is to be found first.
FLOOD = """
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for _ in range(60_000):
    one.sendto(bytes(1200), (sys.argv[1], 9))
"""


def test_what_it_could_not_take_in_time_is_counted(tmp_path: Path) -> None:
    with Namespaces() as namespaces:
        client, relay, server = (namespaces.add(name) for name in ("client", "relay", "server"))
        namespaces.link((client, "up", ["192.0.2.1/30 broadcast 192.0.2.3"]), (relay, "lower", []))
        namespaces.link((server, "up", ["192.0.2.2/30"]), (relay, "upper", []))
        command = [sys.executable, "-m", "headrace.lab.network.relay", "lower", "upper"]
        counts, out = tmp_path / "counts.json", tmp_path / "out"
        with out.open("wb") as file:
            options = ["--counts", str(counts)]
            running = relay.logged([*command, *options], tmp_path / "log", stdout=file)
        eventually(lambda: out.read_bytes() == b"relaying\n", "the relay runs")
        ask = [sys.executable, "-c", FLOOD, "192.0.2.3"]
        assert read_counts(counts).lost == 0
        running.send_signal(signal.SIGSTOP)
        assert client.popen(ask).wait(60) == 0
        running.send_signal(signal.SIGCONT)
        eventually(lambda: read_counts(counts).late > 0, "what was lost is counted")


def test_a_connection_passes_whole_and_takes_longer(tmp_path: Path) -> None:
    body = bytes(range(256)) * 8192
    with Namespaces() as namespaces:
        client, relay, server = (namespaces.add(name) for name in ("client", "relay", "server"))
        namespaces.link((client, "up", ["192.0.2.1/30", "2001:db8::1/64"]), (relay, "lower", []))
        namespaces.link((server, "up", ["192.0.2.2/30", "2001:db8::2/64"]), (relay, "upper", []))
        command = [sys.executable, "-m", "headrace.lab.network.relay", "lower", "upper"]
        out, counts = tmp_path / "out", tmp_path / "counts.json"
        options = ["--delay", str(DELAY_S), "--counts", str(counts)]
        with out.open("wb") as file:
            relay.logged([*command, *options], tmp_path / "log", stdout=file)
        # A rate divides what is sent into single segments.
        rate = "tc qdisc add dev up root tbf rate 1gbit burst 64kb limit 4mb"
        assert server.popen(rate.split()).wait(20) == 0
        eventually(lambda: out.read_bytes() == b"relaying\n", "the relay runs")
        for address in ("192.0.2.2", "2001:db8::2"):
            listener = server.listen(address, 80)
            asking = client.popen([sys.executable, "-c", CONNECT, address], stdout=subprocess.PIPE)
            listener.settimeout(20)
            accepted, _ = listener.accept()
            with accepted, listener:
                accepted.sendall(body)
            assert asking.stdout is not None
            took, got = asking.stdout.read().split()
            assert got.decode() == hashlib.sha256(body).hexdigest()
            # There and back.
            assert float(took) >= 2 * DELAY_S
            assert asking.wait(20) == 0
        segments = 2 * len(body) / SEGMENT_BYTES
        eventually(lambda: read_counts(counts).frames > 10, "it counts")
        assert read_counts(counts).frames < segments / 2, "segments are joined before the relay"
