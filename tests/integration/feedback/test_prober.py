"""Probes of real sockets: what each kind of server comes to, and that the worst costs no more."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

from headrace.feedback.observation import Outcome
from headrace.feedback.observe.prober import LARGEST_BYTES, Prober, ProbeTimes
from headrace.feedback.observe.targets import Probe, Target
from tests.harness.accepted import Accepted, Serve
from tests.harness.certificates import Authority

BODY = b"a small object" * 20
PROBE = Probe("vod.example.org", "/probe", sha256=hashlib.sha256(BODY).hexdigest())
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
TIMES = ProbeTimes(interval_s=0.2, timeout_s=2.0, slow_s=1.5)


def says(data: bytes, *, then_hangs: bool = False) -> Serve:
    """Return a server that says this after each request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        if then_hangs:
            await reader.read()

    return serve


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    for byte in OK:
        writer.write(bytes((byte,)))
        await asyncio.sleep(0.05)


async def never_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Line: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(1.6)
    writer.write(OK)
    await writer.drain()


@dataclass
class Seen:
    results: list[tuple[str, Outcome, float | None, float | None]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(
        self, server: str, outcome: Outcome, first_byte_s: float | None, total_s: float | None
    ) -> None:
        self.results.append((server, outcome, first_byte_s, total_s))
        self.changed.set()

    async def until(self, enough: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not enough():
                self.changed.clear()
                await self.changed.wait()

    def of(self, server: str) -> list[Outcome]:
        return [one[1] for one in self.results if one[0] == server]


@asynccontextmanager
async def served(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    accepted = Accepted(serve)
    server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await accepted.end()


@asynccontextmanager
async def probing(
    targets: list[Target], probe: Probe = PROBE, times: ProbeTimes = TIMES, ca: Path | None = None
) -> AsyncIterator[tuple[Prober, Seen]]:
    seen = Seen()
    prober = Prober(targets, (probe,), seen.note, times, ca)
    task = asyncio.create_task(prober.run())
    try:
        yield prober, seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not prober._running


async def turns_until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.001)


def run(main: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def chunked(body: bytes) -> bytes:
    pieces = b"".join(
        b"%x\r\n%s\r\n" % (len(body[at:][:7]), body[at:][:7]) for at in range(0, len(body), 7)
    )
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("serve", "outcome"),
    [
        (says(OK), Outcome.OK),
        (says(OK, then_hangs=True), Outcome.OK),
        (says(chunked(BODY), then_hangs=True), Outcome.OK),
        (says(b"HTTP/1.1 200 OK\r\n\r\n" + BODY), Outcome.OK),
        (says(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK), Outcome.OK),
        (says(OK.replace(b"small", b"large")), Outcome.WRONG_BYTES),
        (says(OK[:-5]), Outcome.CUT),
        (says(b"HTTP/1.1 200 OK\r\nContent-Le"), Outcome.CUT),
        (says(b""), Outcome.CUT),
        (says(b"HTTP/1.1 301 No\r\nLocation: /probe\r\nContent-Length: 0\r\n\r\n"), Outcome.STATUS),
        (says(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), Outcome.STATUS),
        (says(b"SSH-2.0-OpenSSH\r\n\r\n"), Outcome.MALFORMED),
        (says(bytes(range(256)) * 400), Outcome.MALFORMED),
        (says(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50), Outcome.MALFORMED),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BYTES + 1)),
            Outcome.MALFORMED,
        ),
        (says(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(LARGEST_BYTES + 1)), Outcome.MALFORMED),
        (
            says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"),
            Outcome.MALFORMED,
        ),
        (never_ends, Outcome.MALFORMED),
        (says(b"", then_hangs=True), Outcome.TIMEOUT),
        (says(OK[:-5], then_hangs=True), Outcome.TIMEOUT),
        (drips, Outcome.TIMEOUT),
        (slow, Outcome.SLOW),
    ],
)
def test_each_kind_of_server_is_known_by_its_outcome(serve: Serve, outcome: Outcome) -> None:
    async def main() -> None:
        async with served(serve) as port:
            target = Target("n1", ("127.0.0.1",), port, None)
            async with probing([target]) as (_prober, seen):
                await seen.until(lambda: seen.results)
                server, found, first_byte_s, total_s = seen.results[0]
                assert (server, found) == ("n1", outcome)
                assert (total_s is not None) == (
                    outcome in (Outcome.OK, Outcome.SLOW, Outcome.WRONG_BYTES)
                )
                assert first_byte_s is None or total_s is None or first_byte_s <= total_s

    run(main())


def test_nobody_who_listens_is_refused_and_a_hanging_one_delays_no_other() -> None:
    async def main() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            async with served(says(OK)) as good, served(says(b"", then_hangs=True)) as hanging:
                targets = [
                    Target("closed", ("127.0.0.1",), closed.getsockname()[1], None),
                    Target("hanging", ("127.0.0.1",), hanging, None),
                    Target("good", ("127.0.0.1",), good, None),
                ]
                async with probing(targets) as (_prober, seen):
                    await seen.until(lambda: len(seen.of("good")) >= 3)
                    assert set(seen.of("good")) == {Outcome.OK}
                    assert set(seen.of("closed")) == {Outcome.REFUSED}
                    assert not seen.of("hanging")

    run(main())


def test_a_certificate_is_checked_by_name_and_authority(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "one"), Authority(tmp_path / "other")

    def context(pair_of: Authority, name: str) -> ssl.SSLContext:
        pair = pair_of.issue(name)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(pair.cert, pair.key)
        return made

    async def main() -> None:
        async with (
            served(says(OK), context(authority, PROBE.host)) as good,
            served(says(OK), context(authority, "other.example.org")) as named,
            served(says(OK), context(other, PROBE.host)) as foreign,
            served(says(b"no TLS at all")) as plain,
            served(says(b"", then_hangs=True)) as silent,
        ):
            ports = {"good": good, "named": named, "foreign": foreign, "plain": plain}
            targets = [Target(name, ("127.0.0.1",), None, port) for name, port in ports.items()]
            targets.append(Target("silent", ("127.0.0.1",), 1, silent))
            async with probing(targets, ca=authority.ca_file) as (_prober, seen):
                await seen.until(lambda: len(seen.of("good")) >= 3 and seen.of("silent"))
                assert set(seen.of("good")) == {Outcome.OK}
                for name in ("named", "foreign", "plain"):
                    assert set(seen.of(name)) <= {Outcome.TLS, Outcome.TIMEOUT}, name
                assert Outcome.TLS in seen.of("named")
                assert Outcome.TLS in seen.of("foreign")
                assert set(seen.of("silent")) == {Outcome.TIMEOUT}

    run(main())


def test_without_a_hash_most_servers_say_what_is_right() -> None:
    async def main() -> None:
        async with served(says(OK)) as good, served(says(OK.replace(b"s", b"z"))) as bad:
            targets = [Target(f"n{n}", ("127.0.0.1",), good, None) for n in range(3)]
            targets.append(Target("bad", ("127.0.0.1",), bad, None))
            probe = Probe(PROBE.host, PROBE.path)
            async with probing(targets, probe) as (_prober, seen):
                await seen.until(lambda: len(seen.of("bad")) >= 3)
                assert set(seen.of("bad")) == {Outcome.WRONG_BYTES}
                assert all(set(seen.of(f"n{n}")) == {Outcome.OK} for n in range(3))

    run(main())


def test_a_kept_connection_is_used_again_and_replaced_when_it_was_closed() -> None:
    connections = 0

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"onnection: close" not in head
            writer.write(OK)

    async def main() -> None:
        times = ProbeTimes(interval_s=0.1, timeout_s=2.0, slow_s=1.5, keep_alive=True)
        async with served(twice) as port:
            target = Target("n1", ("127.0.0.1",), port, None)
            async with probing([target], times=times) as (_prober, seen):
                await seen.until(lambda: len(seen.results) >= 8)
                assert set(seen.of("n1")) == {Outcome.OK}
        assert connections <= len(seen.results) // 2 + 1

    run(main())


def test_another_address_is_tried_where_this_machine_cannot_reach_the_first() -> None:
    async def main() -> None:
        async with served(says(OK)) as port:
            # The kernel lets nobody connect there: as where a machine has no IPv6.
            target = Target("n1", ("255.255.255.255", "127.0.0.1"), port, None)
            async with probing([target]) as (prober, seen):
                await seen.until(lambda: len(seen.results) >= 4)
                assert set(seen.of("n1")) == {Outcome.OK}
                assert prober.unmade == 0

    run(main())


def test_a_time_in_which_this_process_did_not_run_is_no_servers_fault() -> None:
    async def main() -> None:
        async with served(slow) as port:
            target = Target("n1", ("127.0.0.1",), port, None)
            times = ProbeTimes(interval_s=0.2, timeout_s=0.15, slow_s=0.1)
            async with probing([target], times=times) as (prober, seen):
                await seen.until(lambda: seen.results)
                assert set(seen.of("n1")) == {Outcome.TIMEOUT}
                await turns_until(lambda: prober._running)
                told, unmade = len(seen.results), prober.unmade
                (request,) = prober._running
                time.sleep(0.5)
                await turns_until(lambda: request not in prober._running)
                assert len(seen.results) == told
                assert prober.unmade == unmade + 1

    run(main())


def test_servers_that_are_no_more_in_the_network_are_not_spoken_of() -> None:
    async def main() -> None:
        async with served(slow) as port, probing([]) as (prober, seen):
            prober.targets = (Target("n1", ("127.0.0.1",), port, None),)
            await turns_until(lambda: prober._running)
            prober.targets = (Target("n2", ("127.0.0.1",), port, None),)
            await seen.until(lambda: seen.of("n2"))
            assert not seen.of("n1")

    run(main())


def test_a_silent_server_is_asked_again_at_once_and_no_more_often_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headrace.feedback.observe.prober.STALL_S", 1e9)

    async def main() -> None:
        silent = says(b"", then_hangs=True)
        times = ProbeTimes(interval_s=1.0, timeout_s=0.1, slow_s=0.1)
        async with served(silent) as port:
            target = Target("n1", ("127.0.0.1",), port, None)
            async with probing([target], times=times) as (prober, seen):
                turns: list[int] = []
                for count in range(1, 5):
                    await seen.until(lambda: len(seen.results) >= count)  # noqa: B023
                    turns.append(prober._turn)
                assert set(seen.of("n1")) == {Outcome.TIMEOUT}
                assert turns == [1, 1, 3, 4]

    run(main())
