"""The place of a comparison: its content, the origin, and peers that run together or alone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import xxhash
from tests.harness.certificates import Authority

from bench.speed import load
from bench.speed.peers import SERVER_CORE, Peer, Place, store_gib
from bench.speed.processes import NotStarted, Program, free_port
from bench.speed.steady import Ask, Load
from bench.speed.work import (
    LARGE_BYTES,
    LARGE_SPAN_BYTES,
    LARGE_STARTS,
    MANIFEST_BYTES,
    SEGMENT_BYTES,
    Running,
    Work,
)

CEILING_CONNECTIONS = 32
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
        # The load asks for all of these: a server may refuse a host that its certificate lacks.
        issued = Authority(tls).issue("127.0.0.1", "localhost", load.HOST)
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
    def place(
        self, name: str, origin: int | None = None, gib: int | None = None
    ) -> Iterator[Place]:
        """A directory of its own with free ports; removed at the end.

        `origin` is the port of an origin that runs already, `gib` what the peer may store.
        """
        directory = self.root / name
        directory.mkdir()
        directory.chmod(0o777)  # some peers give up root
        (directory / "www").symlink_to(self._www)
        ports = [free_port(), free_port(), free_port()]
        try:
            yield Place(
                directory, origin or ports[0], ports[1], ports[2], self._cert, self._key,
                gib or store_gib(),
            )  # fmt: skip
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    @contextlib.contextmanager
    def origin(self, place: Place) -> Iterator[Program]:
        """The origin, at its port of this place. Raises NotStarted."""
        config = place.filled("origin.conf", "origin.conf")
        program = Program(
            ["nginx", "-c", str(config)], load.LOAD_CORE, place.directory / "origin.out"
        )
        with program.stopped_at_end():
            program.wait_for(place.origin)
            yield program

    @contextlib.contextmanager
    def running(self, peer: Peer, place: Place) -> Iterator[Running]:
        """The origin and one peer before it. Raises NotStarted."""
        with self.origin(place) as origin, self._started(peer, place, origin, place) as running:
            yield running

    @contextlib.contextmanager
    def alone(self, peer: Peer) -> Iterator[Running]:
        """One peer with an origin, in a place of its own. Raises NotStarted."""
        with self.place(f"alone-{peer.name}") as place, self.running(peer, place) as running:
            yield running

    @contextlib.contextmanager
    def together(
        self, peers: Sequence[Peer], failed: Callable[[str, Exception], None],
        gib: int | None = None,
    ) -> Iterator[dict[str, Running]]:  # fmt: skip
        """All peers before one origin, by name; `failed` is told of those that did not start.

        Raises NotStarted when the origin did not.
        """
        with (
            contextlib.ExitStack() as stack,
            self.place("origin") as origin_place,
            self.origin(origin_place) as origin,
        ):
            found: dict[str, Running] = {}
            for peer in peers:
                place = stack.enter_context(self.place(peer.name, origin_place.origin, gib))
                try:
                    found[peer.name] = stack.enter_context(
                        self._started(peer, place, origin, origin_place)
                    )
                except NotStarted as error:
                    failed(peer.name, error)
            yield found
            stack.close()  # before the origin

    @contextlib.contextmanager
    def _started(
        self, peer: Peer, place: Place, origin: Program, origin_place: Place
    ) -> Iterator[Running]:
        program = peer.start(place)
        with program.stopped_at_end():
            program.wait_for(place.plain)
            yield Running(
                peer.name,
                program,
                origin,
                place.plain,
                place.tls,
                origin_place.directory / "origin-access.log",
                place.directory,
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
                with Load(port, CEILING_CONNECTIONS) as client:
                    outcome = client.flat_out(lambda _number: ask, seconds)
                return outcome.bytes_per_s / CONTENT[name]
            url = f"http://127.0.0.1:{port}/"
            figure = load.wrk_slice(url, seconds, CEILING_CONNECTIONS)
            load.check_lengths(figure, CONTENT[name], CEILING_CONNECTIONS)
        return figure.per_s

    @staticmethod
    def in_unit(work: Work, per_s: float) -> float:
        """A ceiling as the work counts: answers in a second, or GB/s."""
        assert work.ceiling is not None
        return per_s * CONTENT[work.ceiling] / 1e9 if work.unit == "GB/s" else per_s
