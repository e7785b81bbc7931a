"""A drill's client against servers of this process: what it notes of each request."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import socket
import subprocess
import sys
import threading
import time

import dns.message
import dns.rrset
import msgspec
import pytest

from headrace.lab.drill.client.asking import Client
from headrace.lab.drill.figures import Figures, Seen, figures_of
from headrace.lab.drill.records import WAITS, Asked, Body, Named, Orders, Outcome, Record, Target

SMALL, LONG = b"small", b"long" * 5000
STARTS_S, LASTS_S, PATIENCE_S = 0.2, 2.0, 0.9


def body(path: str, data: bytes) -> Body:
    return Body(path, len(data), hashlib.sha256(data).hexdigest())


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request; /cut ends early, /wrong with another byte."""
    try:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        data = LONG if path == b"/long" else SMALL
        sent = {b"/wrong": b"smell", b"/cut": b"sm"}.get(path, data)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + sent)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def seen_by(small: Body, *, closed: bool = False, lasts_s: float = 0.3) -> Record:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if closed:
        server.close()
        await server.wait_closed()
    now_s = time.monotonic()
    target = Target("127.0.0.1", port, 0.02)
    orders = Orders(
        now_s,
        now_s + lasts_s,
        "h.test",
        small,
        body("/long", LONG),
        0.5,
        targets=[target],
        downloads=[target],
        download_s=0.05,
    )
    record = await Client(orders).run()
    server.close()
    return record


def outcomes(record: Record) -> set[Outcome]:
    # On a busy machine the client may be late by itself.
    return {one.outcome for one in record.attempts} - {"refrained"}


def test_the_right_bytes() -> None:
    record = asyncio.run(seen_by(body("/small", SMALL)))

    assert outcomes(record) == {"ok"}
    assert all(one.began_s >= one.planned_s for one in record.attempts)
    assert {one.outcome for one in record.downloads} == {"ok"}


def test_wrong_bytes_and_bodies_that_end_early() -> None:
    assert outcomes(asyncio.run(seen_by(body("/wrong", SMALL)))) == {"wrong"}
    assert outcomes(asyncio.run(seen_by(body("/cut", SMALL)))) == {"short"}


def test_nobody_listens() -> None:
    record = asyncio.run(seen_by(body("/small", SMALL), closed=True))

    assert outcomes(record) == {"refused"}
    # The end of the time may find one that was just to begin.
    assert {one.outcome for one in record.downloads if not one.bytes} >= {"refused"}
    assert not any(one.bytes for one in record.downloads)


def seen(record: Record, event_s: float, ended_s: float) -> Figures:
    """The figures of a run in which nothing happened to the server at all."""
    owners = {"127.0.0.1": "one"}
    leaving: list[str] = []
    return figures_of(
        Seen(
            record.attempts[0].planned_s,
            event_s,
            None,
            ended_s,
            PATIENCE_S,
            owners,
            list(owners),
            leaving,
            [record],
            [],
        )
    )


def stalled(from_s: float, until_s: float) -> tuple[Record, float, float]:
    """What a client brings back that stands still from one share of its time to another."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        with subprocess.Popen(
            [sys.executable, "-m", "headrace.lab.drill.client"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            assert client.stdout.readline() == WAITS
            began_s = time.monotonic() + STARTS_S
            ends_s = began_s + LASTS_S
            orders = Orders(
                began_s,
                ends_s,
                "h.test",
                body("/small", SMALL),
                body("/long", LONG),
                PATIENCE_S,
                targets=[Target("127.0.0.1", listener.getsockname()[1], 0.02)],
            )
            client.stdin.write(msgspec.json.encode(orders) + b"\n")
            client.stdin.flush()
            time.sleep(max(0.0, began_s + from_s * LASTS_S - time.monotonic()))
            client.send_signal(signal.SIGSTOP)
            time.sleep(max(0.0, began_s + until_s * LASTS_S - time.monotonic()))
            client.send_signal(signal.SIGCONT)
            said, _ = client.communicate(timeout=30)
    return msgspec.json.decode(said, type=Record), began_s, ends_s


def serve(listener: socket.socket) -> None:
    """Answer everybody rightly, until the listener is closed."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(SMALL) + SMALL
    while True:
        try:
            one, _ = listener.accept()
            with one:
                one.recv(65536)
                one.sendall(answer)
        except OSError:
            return


@pytest.mark.parametrize(("from_s", "until_s"), [(0.4, 0.7), (0.4, 1.2)])
def test_a_client_that_is_stopped_has_no_figure(from_s: float, until_s: float) -> None:
    """Stopped for a time, and until after its end: then it asked nothing that it could tell of."""
    record, began_s, ends_s = stalled(from_s, until_s)

    found = seen(record, began_s + 0.45 * LASTS_S, ends_s)

    # Nothing was wrong with the server, and nobody may say so: the client did not see it.
    assert found.refused
    assert found.late_s > 0.2 * LASTS_S
    assert found.failed == 0


def test_it_asks_where_dns_sent_it_and_keeps_that_for_its_time() -> None:
    record = asyncio.run(_by_name())

    named = [one for one in record.attempts if one.host == "h.test"]
    assert {one.outcome for one in named} - {"refrained"} == {"ok"}
    # Nothing is asked before DNS has said where.
    assert min(one.began_s for one in named) > record.answers[0].began_s
    assert len(named) > 3


async def _by_name() -> Record:
    """A client of a server of names that sends it to a server of this process."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    class Names(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self._transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            reply = dns.message.make_response(dns.message.from_wire(data))
            reply.answer.append(dns.rrset.from_text("h.test.", 3, "IN", "A", "127.0.0.1"))
            self._transport.sendto(reply.to_wire(), addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Names, local_addr=("127.0.0.1", 0))
    now_s = time.monotonic()
    orders = Orders(
        now_s,
        now_s + 1.0,
        "h.test",
        body("/small", SMALL),
        body("/long", LONG),
        0.9,
        asked=[Asked("127.0.0.1", transport.get_extra_info("sockname")[1], "dns", 0.1)],
        named=Named(port, 0.05, 3.0),
    )
    record = await Client(orders).run()
    transport.close()
    server.close()
    return record
