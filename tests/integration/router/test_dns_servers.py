"""The sockets of DNS: addresses, reloads, TCP that strangers misuse, and floods."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

from headrace.config.router.dns import Dns
from headrace.router.dns.servers import DnsListenError, check_free
from headrace.router.dns.tcp import (
    BATCH,
    LONGEST_QUERY_BYTES,
    READ_BYTES,
    TcpConnections,
    TcpLimits,
)
from headrace.telemetry.metrics import WorkerMetrics
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.dns_messages import query, values
from tests.harness.dns_server import RunningDns, dns_config, dns_network, free_port, running_dns
from tests.harness.polling import eventually


def ask(served: RunningDns, name: str = "vod.example", host: str = "127.0.0.1") -> list[str]:
    """Return the addresses that a name has."""
    message = dns.message.make_query(name, "A")
    return values(dns.query.udp(message, host, timeout=5, port=served.port))


def ask_as_resolvers_do(served: RunningDns) -> list[str]:
    """Return the same, asked again when a datagram is lost: a full queue drops any."""
    for _ in range(3):
        try:
            return ask(served)
        except dns.exception.Timeout:
            continue
    return []


def connected(served: RunningDns) -> socket.socket:
    """Return a connection to the servers."""
    return socket.create_connection(("127.0.0.1", served.port), 10)


def framed(*messages: bytes) -> bytes:
    """Return messages as they go over TCP."""
    return b"".join(struct.pack(">H", len(each)) + each for each in messages)


def receive(sock: socket.socket, count: int) -> list[bytes]:
    """Return so many messages from a connection."""
    with sock.makefile("rb") as file:
        found = []
        for _ in range(count):
            size = file.read(2)
            assert len(size) == 2, "the connection was closed"
            found.append(file.read(int.from_bytes(size, "big")))
    return found


def is_closed(sock: socket.socket) -> bool:
    """Return whether the other side has closed, waiting for it."""
    try:
        return not sock.recv(1)
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(("bound", "asked"), [("0.0.0.0", "127.0.0.2"), ("[::]", "::1")])
def test_on_all_addresses_the_answer_comes_from_the_one_that_was_asked(
    tmp_path: Path, bound: str, asked: str
) -> None:
    with running_dns(tmp_path, bound) as served:
        # dnspython refuses an answer from another address, and so does a connected socket.
        assert ask(served, host=asked)


def test_a_new_view_moves_clients_at_once(tmp_path: Path) -> None:
    with running_dns(tmp_path) as served:
        before = ask(served)
        gone = {
            server.name: ServerView(ServerState.FAILED)
            for server in dns_network().servers
            if str(server.ipv4[0]) in before
        }
        served.adopt(dns_network(), View(servers=gone))
        after = ask(served)
        assert after
        assert not set(after) & set(before)


def test_a_new_view_leaves_the_zones_as_they_are(tmp_path: Path) -> None:
    topology = dns_network()
    with running_dns(tmp_path, topology=topology) as served:
        assert served.servers._answerer is not None
        names = served.servers._answerer._names
        served.adopt(topology, View(1, 0.0, {"n1": ServerView(ServerState.FAILED)}))
        assert served.servers._answerer._names is names
        served.adopt(replace(topology))
        assert served.servers._answerer._names is not names
        names = served.servers._answerer._names
        served.reconfigure(dns_config(served.port))
        assert served.servers._answerer._names is not names


def test_a_reload_opens_and_closes_addresses_and_changes_zones(tmp_path: Path) -> None:
    with running_dns(tmp_path) as served:
        config = dns_config(
            served.port,
            "127.0.0.1",
            "127.0.0.3",
            zone=[{"name": "new.example", "nameservers": ["ns1.cdn.example"]}],
        )
        served.reconfigure(config)
        message = dns.message.make_query("new.example", "SOA")
        for host in ("127.0.0.1", "127.0.0.3"):
            assert dns.query.udp(message, host, timeout=5, port=served.port).answer
        assert ask(served) == []
        served.reconfigure(dns_config(served.port, "127.0.0.3"))
        assert ask(served, host="127.0.0.3")
        with pytest.raises(OSError, match="refused"):
            connected(served)


def test_an_address_that_cannot_be_had_changes_nothing(tmp_path: Path) -> None:
    port = free_port()
    with socket.socket(type=socket.SOCK_DGRAM) as taken, running_dns(tmp_path) as served:
        taken.bind(("127.0.0.1", port))
        wrong = Dns.model_validate(
            {
                "listen": ["127.0.0.3:" + str(served.port), f"127.0.0.1:{port}"],
                "zone": [{"name": "new.example", "nameservers": ["ns.example"]}],
            }
        )
        with pytest.raises(DnsListenError, match=f"cannot answer on 127.0.0.1:{port} over UDP"):
            served.call(lambda: served.servers.prepare(wrong, tmp_path))
        assert ask(served)
        with socket.socket(type=socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.3", served.port))


def test_an_address_that_another_router_answers_on_is_not_shared_with_it(tmp_path: Path) -> None:
    with running_dns(tmp_path) as served:
        with pytest.raises(DnsListenError, match="over UDP"):
            check_free(dns_config(served.port))
        check_free(dns_config(served.port, "127.0.0.3"))


def test_many_queries_on_one_connection_are_answered_in_order(tmp_path: Path) -> None:
    with running_dns(tmp_path) as served, connected(served) as sock:
        messages = [query(f"c{number}.vod.example", id=number) for number in range(1000)]
        sender = threading.Thread(target=sock.sendall, args=(framed(*messages),))
        sender.start()
        answers = receive(sock, 1000)
        sender.join()
        assert [int.from_bytes(each[:2], "big") for each in answers] == list(range(1000))


def test_a_query_may_come_byte_by_byte(tmp_path: Path) -> None:
    with running_dns(tmp_path) as served, connected(served) as sock:
        for byte in framed(query("vod.example")):
            sock.sendall(bytes([byte]))
        assert values(dns.message.from_wire(receive(sock, 1)[0]))


def test_who_takes_no_answers_is_read_no_more_and_cut(tmp_path: Path) -> None:
    limits = {"responses_per_second": 0, "idle": "1s"}
    with running_dns(tmp_path, config={"limits": limits}) as served, connected(served) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(0.3)
        flood = framed(*[query("cdn.example", "TXT", use_edns=0)] * 1000)
        sent = 0
        try:
            while sent < 50_000_000:
                sent += sock.send(flood)
        except (TimeoutError, ConnectionError):
            pass
        assert sent < 50_000_000
        assert ask(served), "others are answered"
        connections = served.servers._connections
        assert connections is not None
        eventually(lambda: served.call(lambda: len(connections)) == 0, "0 connections are left")


def test_queries_that_have_no_answer_are_not_read_ahead(tmp_path: Path) -> None:
    limits = {"responses_per_second": 0, "idle": "5m"}
    with running_dns(tmp_path, config={"limits": limits}) as served, connected(served) as sock:
        sock.settimeout(60)
        connections = served.servers._connections
        assert connections is not None
        held = 0
        for _ in range(60):
            sock.sendall(framed(b"") * 8192)
            held = max([held, *served.call(lambda: [len(one._in) for one in connections._open])])
        assert held <= READ_BYTES + LONGEST_QUERY_BYTES + 2


def test_all_connections_together_get_no_more_of_a_turn_than_a_udp_socket() -> None:
    loop = asyncio.SelectorEventLoop()
    answered: Counter[bytes] = Counter()
    connections = TcpConnections(TcpLimits(100, 100, 10.0), loop, WorkerMetrics())
    connections.answer = lambda _data, client, _now_s: answered.update([client])
    pairs = [socket.socketpair() for _ in range(12)]
    for number, (ours, theirs) in enumerate(pairs):
        ours.setblocking(False)
        theirs.sendall(framed(b"") * 1000)
        connections.add(ours, bytes([192, 0, 2, number]))
    before = 0
    while before < 12_000:
        loop.call_soon(loop.stop)
        loop.run_forever()  # one turn
        assert answered.total() <= before + BATCH
        counts = [answered[bytes([192, 0, 2, number])] for number in range(12)]
        assert max(counts) - min(counts) <= BATCH
        before = answered.total()
    connections.close()
    loop.close()
    for _ours, theirs in pairs:
        theirs.close()


def test_a_fault_of_ours_takes_no_turn_from_others(tmp_path: Path) -> None:
    with running_dns(tmp_path) as served:
        connections = served.servers._connections
        assert connections is not None
        answer = connections.answer

        def at_fault(data: bytes, client: bytes, now_s: int) -> bytes | None:
            if data == b"fault":
                raise RuntimeError("a fault of ours")
            return answer(data, client, now_s)

        connections.answer = at_fault
        with connected(served) as one, connected(served) as other:
            one.sendall(framed(b"fault"))
            other.sendall(framed(query("vod.example")))
            assert receive(other, 1)
            other.sendall(framed(query("vod.example")))
            assert receive(other, 1)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x20\0", framed(b"abc"), framed(b"")])
def test_an_idle_connection_is_closed_in_time(tmp_path: Path, data: bytes) -> None:
    limits = {"responses_per_second": 0, "idle": "500ms"}
    with running_dns(tmp_path, config={"limits": limits}) as served, connected(served) as sock:
        sock.sendall(data)
        assert is_closed(sock)


def test_a_message_that_no_query_is_as_long_as_ends_the_connection(tmp_path: Path) -> None:
    with running_dns(tmp_path) as served, connected(served) as sock:
        sock.sendall(b"\xff\xff" + b"x" * 100)
        assert is_closed(sock)


def test_connections_are_bounded_for_a_network_and_in_all(tmp_path: Path) -> None:
    limits = {"responses_per_second": 0, "connections": 4, "connections_per_network": 3}
    with running_dns(tmp_path, config={"limits": limits}) as served:
        held = [connected(served) for _ in range(3)]
        for sock in held:
            sock.sendall(framed(query("vod.example")))
            receive(sock, 1)
        with connected(served) as refused:
            assert is_closed(refused)
        assert served.metrics.dns_connections_refused == {"connections_per_network": 1}
        held.pop().close()
        connections = served.servers._connections
        assert connections is not None
        eventually(lambda: served.call(lambda: len(connections)) == 2, "2 connections are left")
        with connected(served) as again:
            again.sendall(framed(query("vod.example")))
            assert receive(again, 1)
        for sock in held:
            sock.close()
        eventually(lambda: served.call(lambda: len(connections)) == 0, "0 connections are left")
        assert not connections._networks


def test_whoever_holds_all_connections_shuts_nobody_out(tmp_path: Path) -> None:
    limits = {"responses_per_second": 0, "connections": 4, "connections_per_network": 4}
    asked = framed(query("vod.example"))
    with running_dns(tmp_path, config={"limits": limits}) as served:
        held = [connected(served) for _ in range(4)]
        for sock in (*held, held[0]):
            sock.sendall(asked)
            receive(sock, 1)
        with socket.create_connection(("127.0.0.1", served.port), 10, ("127.9.9.9", 0)) as other:
            other.sendall(asked)
            assert receive(other, 1)
            assert is_closed(held[1]), "it was idle longest"
            for sock in (held[0], *held[2:]):
                sock.sendall(asked)
                assert receive(sock, 1)
        assert served.metrics.dns_connections_refused == {"connections": 1}
        for sock in held:
            sock.close()


def test_a_flood_of_garbage_leaves_answers_to_others_unharmed(tmp_path: Path) -> None:
    chance = random.Random(7)
    good = query("vod.example", subnet="192.0.2.0/24")
    limits = {"responses_per_second": 100}
    with running_dns(tmp_path, config={"limits": limits}) as served:
        stop = threading.Event()

        def flood() -> None:
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.bind(("127.0.9.9", 0))
                sock.connect(("127.0.0.1", served.port))
                for _ in range(20_000):
                    if stop.is_set():
                        return
                    garbage = bytearray(good)
                    for _ in range(3):
                        garbage[chance.randrange(len(garbage))] = chance.randrange(256)
                    try:
                        sock.send(garbage[: chance.randrange(len(garbage) + 1)])
                    except OSError:
                        time.sleep(0.001)

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            answered = sum(bool(ask_as_resolvers_do(served)) for _ in range(50))
        finally:
            stop.set()
            flooding.join()
        assert answered == 50
        assert served.metrics.dns_malformed > 0
        assert ask(served)
