"""A relay between two namespaces: everything arrives, whole, and later."""

from __future__ import annotations

import hashlib
import signal
import socket
import subprocess
import sys
from pathlib import Path

from headrace.lab.namespaces.enter import inside
from headrace.lab.namespaces.namespace import End
from headrace.lab.network.build import join_by_relay
from headrace.lab.network.relay import read_counts
from tests.harness.namespaces import Namespace, Namespaces
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


# Tagged for a VLAN, then as it is.
TAGGED = """
import socket
one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
one.bind(("up", 0))
addresses = bytes.fromhex("ffffffffffff 020000000000")
one.send(addresses + bytes.fromhex("81000007 88b5") + b"tagged".ljust(60))
one.send(addresses + bytes.fromhex("88b5") + b"plain".ljust(60))
"""

# What comes to another device between the making of a socket and its binding is not of its device.
BETWEEN = """
import socket, sys
from headrace.lab.network import device
made = socket.socket
class Slow(made):
    def bind(self, address):
        with made(socket.AF_PACKET, socket.SOCK_RAW) as other:
            other.bind(("far", 0))
            other.send(bytes.fromhex("ffffffffffff 020000000000 88b5") + bytes(60))
        super().bind(address)
socket.socket = Slow
end = device.open_device("lower")
try:
    sys.exit(f"it has {end.recv(65535).hex()}")
except BlockingIOError:
    pass
"""


def relayed(namespaces: Namespaces, tmp_path: Path) -> tuple[Namespace, Namespace, Namespace]:
    """Return a client and a server, and between them a namespace with a relay that runs."""
    client, relay, server = (namespaces.add(name) for name in ("client", "relay", "server"))
    join_by_relay(End(client, "up", ["192.0.2.1/30"]), relay, End(server, "up", ["192.0.2.2/30"]))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "headrace.lab.network.relay", "lower", "upper"]
    with out.open("wb") as file:
        relay.logged(
            [*command, "--counts", str(tmp_path / "counts.json")], tmp_path / "log", stdout=file
        )
    eventually(lambda: out.read_bytes() == b"relaying\n", "the relay runs")
    return client, relay, server


def test_what_is_in_a_tunnel_passes_whole(tmp_path: Path) -> None:
    """As what servers pass on to each other does. A relay cannot have large packets of it."""
    body = bytes(range(256)) * 8192
    with Namespaces() as namespaces:
        client, _relay, server = relayed(namespaces, tmp_path)
        for own, here in enumerate((client, server), 1):
            words = f"type vxlan id 5 dstport 8094 local 192.0.2.{own} remote 192.0.2.{3 - own}"
            here.ip_lines(
                [
                    f"link add name tunnel {words}",
                    f"address add 198.51.100.{own}/30 dev tunnel",
                    "link set dev tunnel up",
                ]
            )
        listener = server.listen("198.51.100.2", 80)
        ask = [sys.executable, "-c", CONNECT, "198.51.100.2"]
        asking = client.popen(ask, stdout=subprocess.PIPE)
        listener.settimeout(20)
        accepted, _ = listener.accept()
        with accepted, listener:
            accepted.settimeout(20)
            accepted.sendall(body)
        assert asking.stdout is not None
        _took, got = asking.stdout.read().split()
        assert got.decode() == hashlib.sha256(body).hexdigest()


def test_what_has_a_tag_does_not_leave_without_it(tmp_path: Path) -> None:
    with Namespaces() as namespaces:
        client, _relay, server = relayed(namespaces, tmp_path)

        def listen() -> socket.socket:
            return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))

        with inside(server.name, listen) as listener:
            listener.settimeout(20)
            assert client.popen([sys.executable, "-c", TAGGED]).wait(20) == 0
            assert listener.recv(100)[14:].rstrip() == b"plain"


def test_it_is_not_seen_itself(tmp_path: Path) -> None:
    with Namespaces() as namespaces:
        _client, relay, _server = relayed(namespaces, tmp_path)
        for device in ("lower", "upper"):
            assert relay.ip("-brief", "-6", "address", "show", "dev", device) == ""


def test_it_takes_nothing_of_another_device_as_it_begins(tmp_path: Path) -> None:
    with Namespaces() as namespaces:
        client, relay = namespaces.add("client"), namespaces.add("relay")
        namespaces.link((client, "up", []), (relay, "lower", []))
        namespaces.link((relay, "far", []), (relay, "upper", []))
        log = tmp_path / "log"
        begins = relay.logged([sys.executable, "-c", BETWEEN], log)
        assert begins.wait(20) == 0, log.read_text()


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
