"""Clients that leave: whenever they do, descriptors and disk come back.

The edge may hold a deleted file only while somebody is being sent it. No collector of garbage may
be needed for that: it comes round when it likes.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headrace.store.spare_files import MOST
from tests.harness.bodies import Body
from tests.harness.edge import Edge, running_edge
from tests.harness.held import Held, held_by
from tests.harness.origin import Origin
from tests.harness.polling import NeverHappened, eventually
from tests.harness.replies import Drip, End, Reply, cacheable
from tests.harness.wire import Client, ConnectionEnded

MIB = 1024 * 1024
ABORTS = 60
OPEN_FILES = 16
SPARE_FILES = MOST + 2 * OPEN_FILES  # kept open on purpose: a descriptor and a mapping's
BACK_WITHIN_S = 90.0
BODY = Body(7, 3 * MIB)


@pytest.fixture(scope="module")
def scripted() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(params=[1, 2], ids=["one-worker", "two-workers"], scope="module")
def edge(
    scripted: Origin, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Edge]:
    overrides = {
        "workers": request.param,
        "store": {
            "size": "64MiB",
            "slice": "1MiB",
            "checksum": "on_open",
            "open_files": OPEN_FILES,
        },
    }
    with running_edge(scripted.url, tmp_path_factory.mktemp("edge"), overrides) as running:
        yield running


def held(edge: Edge) -> Held:
    return held_by(edge.worker_pids(), edge.cache_dir)


def must_come_back(edge: Edge, before: Held) -> None:
    """Descriptors and disk return to where they were, and stay there: at first the edge may not
    have begun what was asked last.
    """
    spare = SPARE_FILES * len(edge.worker_pids())
    now = before
    in_a_row = 0

    def are_back() -> bool:
        nonlocal now, in_a_row
        now = held(edge)
        back = not now.deleted_files and now.files <= before.files + spare
        in_a_row = in_a_row + 1 if back else 0
        return in_a_row == 3

    try:
        eventually(are_back, "all is given back", BACK_WITHIN_S, every_s=0.25)
    except NeverHappened as error:
        raise AssertionError(f"before {before}, now {now}") from error


def ask_and_leave(edge: Edge, target: str, *fields: tuple[str, str], after: int | None) -> None:
    """Take so many bytes of the body (None: not even the head), then reset the connection."""
    client = edge.client(receive_buffer_bytes=16 * 1024)
    try:
        client.ask(target, *fields)
        if after is not None:
            with contextlib.suppress(ConnectionEnded):
                client.head()
                client.read(after)
    finally:
        client.reset()


def stored(seconds: int = 600, **how: Any) -> Reply:
    return replace(cacheable(BODY, seconds), **how)


PHASES = {
    "before-the-head": (stored(delay_s=0.1), None),
    "after-the-head": (stored(), 0),
    "in-mid-body": (stored(), 300_000),
    "in-a-later-slice": (stored(), 2 * MIB + 100),
    "while-it-comes": (stored(drip=Drip(256 * 1024, 0.02)), 300_000),
    "of-unknown-length": (stored(framing="chunked", drip=Drip(256 * 1024, 0.01)), 300_000),
    "of-one-that-breaks-off": (stored(end=End(2 * MIB, reset=True)), 300_000),
    "of-one-that-stays-short": (stored(end=End(2 * MIB)), 300_000),
    "of-one-that-is-refused": (stored(end=End("before_head", reset=True)), 0),
    "of-what-is-not-kept": (stored(0), 300_000),
}


@pytest.mark.parametrize("phase", PHASES)
def test_those_who_leave_take_nothing_along(edge: Edge, scripted: Origin, phase: str) -> None:
    reply, after = PHASES[phase]
    scripted.serve_under(f"/{phase}/", lambda request: reply)
    ask_and_leave(edge, f"/{phase}/first", after=after)
    before = held(edge)
    # Two workers may keep more open than all of these would leave open: there it is deleted files
    # that show, and one is enough.
    for number in range(ABORTS // len(edge.worker_pids())):
        ask_and_leave(edge, f"/{phase}/{number}", after=after)
    must_come_back(edge, before)


def test_those_who_leave_what_is_stored_take_nothing_along(edge: Edge, scripted: Origin) -> None:
    scripted.serve_under("/kept/", lambda request: stored())
    for number in range(10):
        assert edge.get(f"/kept/{number}").body == BODY.read(0, len(BODY))
    before = held(edge)
    for number in range(ABORTS):
        ask_and_leave(edge, f"/kept/{number % 10}", after=300_000)
        ask_and_leave(edge, f"/kept/{number % 10}", ("Range", "bytes=1000000-"), after=300_000)
    edge.purge(all=True)
    must_come_back(edge, before)


def test_those_who_leave_what_many_follow_take_nothing_along(edge: Edge, scripted: Origin) -> None:
    """Several follow the same fill, of whom some are in another worker."""
    reply = stored(drip=Drip(128 * 1024, 0.02))
    scripted.serve_under("/followed/", lambda request: reply)
    before = held(edge)
    for number in range(ABORTS // 6):
        with contextlib.ExitStack() as all_of_them:
            clients = []
            for _ in range(6):
                client = edge.client(receive_buffer_bytes=16 * 1024)
                all_of_them.callback(client.reset)
                client.ask(f"/followed/{number}")
                clients.append(client)
            for client in clients:
                client.head()
                client.read(200_000)
    must_come_back(edge, before)
    # A file that has its name is no burden yet: without it, nobody may have kept it.
    edge.purge(all=True)
    must_come_back(edge, before)


def slowly(edge: Edge, target: str) -> Client:
    """A client that has begun to read, and does not go on for now."""
    client = edge.client(receive_buffer_bytes=16 * 1024)
    client.ask(target)
    assert client.head().status == 200
    return client


@pytest.mark.parametrize("how", ["purged", "evicted"])
def test_what_is_removed_under_slow_readers_is_freed_when_they_are_gone(
    edge: Edge, scripted: Origin, how: str
) -> None:
    scripted.serve_under("/slow/", lambda request: stored())
    scripted.serve_under("/others/", lambda request: stored())
    before = held(edge)
    readers = []
    for number in range(8):
        edge.get(f"/slow/{number}")
        readers.append(slowly(edge, f"/slow/{number}"))
    if how == "purged":
        edge.purge(all=True)
    else:
        for number in range(40):
            edge.get(f"/others/{number}")
    for reader in readers[:4]:  # what was removed is still sent whole
        found = reader.read(len(BODY))
        assert found == BODY.read(0, len(BODY))
    for reader in readers:
        reader.reset()
    must_come_back(edge, before)


LIMIT = 160


def test_who_is_in_is_served_while_others_take_all_descriptors(
    scripted: Origin, tmp_path: Path
) -> None:
    """Idle connections may take no more than leaves room for fills, and nobody is locked out for
    longer than they stay."""
    scripted.serve_under("/few/", lambda request: stored())
    with running_edge(scripted.url, tmp_path, {"workers": 1}) as edge:
        for pid in edge.worker_pids():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        edge.reload()
        with contextlib.ExitStack() as idle:
            early = idle.enter_context(edge.client())
            assert early.get("/few/first").status == 200
            for _ in range(2 * LIMIT):
                idle.enter_context(edge.client())
            eventually(
                lambda: edge.metric("headrace_connections_refused_total", reason="descriptors"),
                "the worker lets nobody in any more",
            )
            for number in range(10):
                found = early.get(f"/few/{number}")
                assert (found.status, found.body) == (200, BODY.read(0, len(BODY)))
        assert eventually(lambda: served(edge), "others are let in again")


def served(edge: Edge) -> bool:
    with contextlib.suppress(OSError, ConnectionEnded):
        return edge.get("/few/first").status == 200
    return False


def test_files_held_by_slow_readers_are_part_of_the_bound(scripted: Origin, tmp_path: Path) -> None:
    """What is evicted under its readers still takes its place on the disk."""
    scripted.serve_under("/read/", lambda request: cacheable(Body(8, 8 * MIB)))
    scripted.serve_under("/more/", lambda request: stored())
    settings = {"workers": 1, "store": {"size": "48MiB", "slice": "1MiB", "open_files": OPEN_FILES}}
    with running_edge(scripted.url, tmp_path, settings) as edge, contextlib.ExitStack() as all_:
        for number in range(4):
            edge.get(f"/read/{number}")
            reader = slowly(edge, f"/read/{number}")
            all_.callback(reader.reset)
        for number in range(30):
            edge.get(f"/more/{number}")

        def within_bound() -> bool:
            deleted = held(edge).deleted_bytes
            kept = edge.metric("headrace_store_bytes")
            return deleted >= 2 * MIB and kept + min(deleted, 24 * MIB) <= 48 * MIB

        eventually(within_bound, "what is held counts", 30)
