"""An edge that counts its steps, what it is asked for, and what was recorded of it."""

from __future__ import annotations

import contextlib
import json
import ssl
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.harness.bodies import Body
from tests.harness.certificates import Authority
from tests.harness.edge import HOST, Edge, free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.replies import cacheable
from tests.harness.steps import Steps, launcher, of_each
from tests.harness.wire import Client

RECORD = Path(__file__).parent / "steps.json"
TOLERANCE = 1.10
OTHER_PYTHON = 1.25
"""For versions of Python of which nothing was recorded: they count lines a little differently."""
BATCHES = 5
EACH = 40
SMALL = Body(501, 1_000)
LARGE = Body(502, 2_000_000)
STORED = 25
"""Objects that come in turn, where none is asked for again soon enough to be held in memory."""
SPAN = ("Range", "bytes=100000-165535")


WITHOUT_MEMORY: dict[str, object] = {"memory": "8KiB"}


@dataclass(frozen=True, slots=True)
class Counting:
    """A running edge with its two ports, and the file that its worker counts into."""

    edge: Edge
    origin: Origin
    authority: Authority
    tls_port: int
    file: Path

    def steps(self, kind: str, enough: Callable[[Steps], bool] = lambda _found: True) -> Steps:
        """What one answer of this kind takes; it is tried again until it is `enough`."""
        with self._asker(kind) as ask:
            return of_each(self.file, ask, BATCHES, EACH, enough)

    def more_than_recorded(self, kind: str) -> list[str]:
        """What an answer of this kind takes more of than was recorded, by its best batch."""
        allowed, times = recorded(kind, sys.version_info[:2])

        found = self.steps(kind, lambda found: not found.exceeds(allowed, times))
        return found.exceeds(allowed, times)

    @contextlib.contextmanager
    def _asker(self, kind: str) -> Iterator[Callable[[int], None]]:
        """Ask for number n of this kind, and check what came. Warm when it is entered."""
        prefix = f"/steps/{uuid.uuid4()}/"
        large = kind == "range"
        self.origin.serve_under(prefix, lambda _asked: cacheable(LARGE if large else SMALL))
        fields = (SPAN,) if large else ()
        size = 65_536 if large else len(SMALL)
        paths = {"miss": "{0}", "stored hit": "{1}"}
        if kind.endswith("visit"):
            with self._visitor(kind, prefix + "same") as visit:
                yield visit
            return
        with self._client(tls=kind == "tls hit") as client:

            def ask(number: int) -> None:
                path = prefix + paths.get(kind, "same").format(number, number % STORED)
                found = client.get(path, *fields)
                assert (found.status, len(found.body)) == (206 if large else 200, size)
                assert found.hit is (kind != "miss")

            if kind == "stored hit":
                for number in range(STORED):
                    client.get(f"{prefix}{number}")
            client.get(prefix + "same")
            for _ in range(3):
                client.get(prefix + "same", *fields)
            yield ask

    @contextlib.contextmanager
    def _visitor(self, kind: str, path: str) -> Iterator[Callable[[int], None]]:
        """Connect for one answer, each time: by no TLS, a full handshake, or with a ticket."""
        context = self.authority.client_context()
        session: ssl.SSLSession | None = None

        def visit(_number: int) -> None:
            nonlocal session
            # The same context each time: a session belongs to it.
            with Client(
                ("127.0.0.1", self.tls_port if kind != "plain visit" else self.edge.port),
                tls=None if kind == "plain visit" else context,
                server_name=HOST, host=HOST, session=session,
            ) as client:  # fmt: skip
                found = client.get(path, ("Connection", "close"))
                assert (found.status, len(found.body)) == (200, len(SMALL))
                sock = client.sock
                if isinstance(sock, ssl.SSLSocket):
                    assert sock.session_reused is (session is not None)
                    if kind == "resumed visit":
                        session = sock.session

        for _ in range(4):
            visit(0)
        yield visit

    def _client(self, *, tls: bool) -> Client:
        if not tls:
            return self.edge.client()
        return Client(
            ("127.0.0.1", self.tls_port), tls=self.authority.client_context(), server_name=HOST,
            host=HOST,
        )  # fmt: skip


@contextlib.contextmanager
def counting_edge(
    origin: Origin, directory: Path, store: dict[str, object] | None = None
) -> Iterator[Counting]:
    """One worker with a plain and a TLS listener. `store` is added to its table of that name."""
    authority = Authority(directory / "authority")
    port, file = free_port(), directory / "steps"
    pair = authority.issue(HOST)
    overrides: dict[str, object] = {
        "workers": 1,
        "listen": [{"address": f"127.0.0.1:{port}", "tls": True}],
        "certificate": [{"cert": pair.cert, "key": pair.key}],
        "store": {"size": "1GiB", "slice": "8MiB", **(store or {})},
    }
    with running_edge(origin.url, directory, overrides, launcher=launcher(file)) as edge:
        yield Counting(edge, origin, authority, port, file)


def recorded(kind: str, version: tuple[int, int]) -> tuple[Steps, float]:
    """What was recorded with this Python, or else with the newest that has it, and how much more is
    allowed.
    """
    known = {
        name: kinds[kind]
        for name, kinds in json.loads(RECORD.read_text(encoding="utf-8")).items()
        if kind in kinds
    }
    own = known.get(".".join(map(str, version)))
    if own is not None:
        return Steps(**own), TOLERANCE
    newest = max(known, key=lambda name: tuple(map(int, name.split("."))))
    return Steps(**known[newest]), OTHER_PYTHON


def record(version: tuple[int, int], found: dict[str, Steps]) -> None:
    """Write what this Python found into the file, and leave what others did."""
    known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    known[".".join(map(str, version))] = {
        kind: {name: round(value, 1) for name, value in asdict(steps).items()}
        for kind, steps in found.items()
    }
    RECORD.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
