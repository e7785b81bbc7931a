"""Asking servers what they learnt: what they say ends up in the file, whole; what is not sound
changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from headrace.node.network import learnt_pull
from headrace.node.network.learnt_pull import LearntPuller
from headrace.node.network.signed import answer_value, asked_nonce, digest_of
from headrace.topology.learnt_document import LARGEST_BYTES, LearntDocument, encode_learnt
from headrace.topology.learnt_rules import LearntRules
from headrace.topology.model import Coverage, Server, Site, SiteChoice, Topology
from headrace.topology.prefix_file import read_prefix_file
from headrace.topology.prefix_set import PrefixSet

SECRET = b"s" * 32


class Announcer:
    """A server's process for VIPs: `said` is what it answers."""

    def __init__(self, said: bytes, secret: bytes = SECRET) -> None:
        self.said = said
        self.targets: list[bytes] = []
        self.asked: asyncio.Queue[None] = asyncio.Queue()
        self._secret = secret

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1]
            self.targets.append(target)
            self.asked.put_nowait(None)
            lines = (line.partition(b":") for line in head.split(b"\r\n"))
            field = next(value for name, _c, value in lines if name.lower() == b"headrace-ask")
            nonce = asked_nonce((SECRET,), target, field.strip())
            assert nonce is not None
            value = answer_value((self._secret,), target, nonce, digest_of(self.said))
            writer.write(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nHeadrace-Answer: %b\r\n"
                b"Content-Length: %d\r\n\r\n" % (value, len(self.said)) + self.said
            )
            await writer.drain()
        writer.close()

    def stop(self) -> None:
        self._server.close()


def said(*prefixes: str, server: str = "a1") -> bytes:
    return encode_learnt(LearntDocument(server, "", "d1", {"at-a": prefixes}))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learnt_pull, "POLL_S", 0.02)


@contextlib.asynccontextmanager
async def pulling(
    announcer: Announcer, directory: Path
) -> AsyncIterator[tuple[LearntPuller, Path]]:
    """Let a puller run for one server; yield it and the file that it keeps."""
    (directory / "secret").write_bytes(SECRET + b"\n")
    (directory / "secret").chmod(0o600)
    file = directory / "at-a.prefixes"
    rules = LearntRules("a", str(file), PrefixSet.of(["81.0.0.0/8"]))
    server = Server("a1", "a", "a1.example")
    server = replace(server, vip_listener_url=await announcer.start())
    topology = Topology(
        sites=(Site("a"),),
        servers=(server,),
        coverage=(Coverage("at-a", (SiteChoice("a"),), learnt=rules),),
    )
    puller = LearntPuller(lambda: topology, directory / "secret")
    task = asyncio.create_task(puller.run())
    try:
        yield puller, file
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        announcer.stop()


async def asked_again(announcer: Announcer) -> None:
    """Wait until the puller has dealt with what is said now."""
    while not announcer.asked.empty():
        announcer.asked.get_nowait()
    async with asyncio.timeout(10):
        for _ in range(3):
            await announcer.asked.get()


def test_what_a_server_says_is_in_the_file(tmp_path: Path) -> None:
    async def check() -> None:
        announcer = Announcer(said("81.1.0.0/16", "81.2.0.0/16"))
        async with pulling(announcer, tmp_path) as (puller, file):
            await asked_again(announcer)
            assert read_prefix_file(file).prefixes == PrefixSet.of(["81.1.0.0/16", "81.2.0.0/16"])
            assert announcer.targets[-1] == b"/v1/coverage?after=d1"
            written = file.stat().st_ino
            await asked_again(announcer)
            assert file.stat().st_ino == written  # the same is not written again
            announcer.said = said("81.2.0.0/16")
            await asked_again(announcer)
            assert read_prefix_file(file).prefixes == PrefixSet.of(["81.2.0.0/16"])
            assert puller.facts().prefixes == {"at-a": 1}
            assert list(tmp_path.glob("*.new")) == []

    asyncio.run(check())


@pytest.mark.parametrize(
    ("lie", "problem"),
    [
        (b"junk", "cannot be read"),
        (said("81.3.0.0/16", server="b1"), "it is 'b1''s"),
        (said("81.3.0.0/16", "81.3.0.1/16"), "bits beyond"),
        (b"x" * (LARGEST_BYTES + 1), "more than"),
    ],
)
def test_a_lie_changes_nothing_and_is_told(tmp_path: Path, lie: bytes, problem: str) -> None:
    async def check() -> None:
        announcer = Announcer(said("81.1.0.0/16"))
        async with pulling(announcer, tmp_path) as (puller, file):
            await asked_again(announcer)
            before = file.read_bytes()
            announcer.said = lie
            await asked_again(announcer)
            assert file.read_bytes() == before
            assert problem in puller.facts().problems["a1"]
            announcer.said = said("81.1.0.0/16")
            await asked_again(announcer)
            assert puller.facts().problems == {}

    asyncio.run(check())


def test_who_does_not_know_the_secret_is_not_believed(tmp_path: Path) -> None:
    async def check() -> None:
        announcer = Announcer(said("81.1.0.0/16"), b"t" * 32)
        async with pulling(announcer, tmp_path) as (puller, file):
            await asked_again(announcer)
            assert not file.exists() or not read_prefix_file(file).prefixes
            assert "without our secret" in puller.facts().problems["a1"]

    asyncio.run(check())


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async def check() -> None:
        announcer = Announcer(said("81.1.0.0/16"))
        async with pulling(announcer, tmp_path) as (puller, file):
            file.unlink(missing_ok=True)
            file.mkdir()
            await asked_again(announcer)
            assert "cannot be written" in puller.facts().problems["at-a"]
            file.rmdir()
            await asked_again(announcer)
            assert read_prefix_file(file).prefixes == PrefixSet.of(["81.1.0.0/16"])

    asyncio.run(check())
