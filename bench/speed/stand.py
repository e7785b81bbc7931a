"""The place of a comparison: its content, the origin, and peers that run one at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import xxhash
from tests.harness.certificates import Authority

from bench.speed import load
from bench.speed.peers import SERVER_CORE, Peer, Place
from bench.speed.processes import Program, free_port
from bench.speed.steady import Ask, Load
from bench.speed.works import (
    CONNECTIONS,
    LARGE_BYTES,
    LARGE_SPAN_BYTES,
    LARGE_STARTS,
    MANIFEST_BYTES,
    SEGMENT_BYTES,
    Running,
)

CONTENT = {"segment": SEGMENT_BYTES, "manifest": MANIFEST_BYTES}


class Stand:
    """Random content below `root`, with its digests, and a certificate."""

    def __init__(self, root: Path, *, large: bool) -> None:
        self.root = root
        self.digests: dict[str, str] = {}
        self.quick_digests: dict[str, int] = {}
        self._www = root / "www"
        self._www.mkdir()
        for name, size in CONTENT.items():
            body = os.urandom(size)
            (self._www / name).write_bytes(body)
            self.digests[f"/{name}"] = hashlib.sha256(body).hexdigest()
            self.quick_digests[name] = xxhash.xxh3_64_intdigest(body)
        if large:
            self._make_large()
        for path in (root, self._www):
            path.chmod(0o755)
        tls = root / "tls"
        tls.mkdir()
        issued = Authority(tls).issue("127.0.0.1", "localhost")
        self._cert, self._key = issued.cert, issued.key

    def _make_large(self) -> None:
        with (self._www / "large").open("w+b") as file:
            for _ in range(100):
                file.write(os.urandom(LARGE_BYTES // 100))
            for start in LARGE_STARTS:
                file.seek(start)
                body = file.read(LARGE_SPAN_BYTES)
                self.digests[f"/large {start}"] = hashlib.sha256(body).hexdigest()

    @contextlib.contextmanager
    def place(self, name: str) -> Iterator[Place]:
        """A directory of its own with free ports; removed at the end."""
        directory = self.root / name
        directory.mkdir()
        directory.chmod(0o777)  # some peers give up root
        (directory / "www").symlink_to(self._www)
        try:
            yield Place(directory, free_port(), free_port(), free_port(), self._cert, self._key)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    @contextlib.contextmanager
    def running(self, peer: Peer, place: Place) -> Iterator[Running]:
        """The origin and one peer before it. Raises NotStarted."""
        config = place.filled("origin.conf", "origin.conf")
        origin = Program(
            ["nginx", "-c", str(config)], load.LOAD_CORE, place.directory / "origin.out"
        )
        with origin.stopped_at_end():
            origin.wait_for(place.origin)
            program = peer.start(place)
            with program.stopped_at_end():
                program.wait_for(place.plain)
                yield Running(
                    peer.name,
                    program,
                    place.plain,
                    place.tls,
                    place.directory / "origin-access.log",
                    self.digests,
                    self.quick_digests,
                    large=self._www / "large",
                )

    def ceiling(self, name: str, seconds: float) -> float:
        """Answers in a second of the bare loop that only sends this content."""
        port = free_port()
        command = [sys.executable, "-m", "bench.speed.ceiling", str(port), str(self._www / name)]
        program = Program(command, SERVER_CORE, self.root / "ceiling.log")
        with program.stopped_at_end():
            program.wait_for(port)
            ask = Ask(name, f"/{name}", CONTENT[name], self.quick_digests[name])
            if name == "segment":  # wrk would be the limit
                with Load(port, CONNECTIONS) as client:
                    outcome = client.flat_out(lambda _number: ask, seconds)
                return outcome.bytes_per_s / CONTENT[name]
            figure = load.wrk(f"http://127.0.0.1:{port}/", seconds, CONNECTIONS)
            load.check_lengths(figure, CONTENT[name])
        return figure.per_s
