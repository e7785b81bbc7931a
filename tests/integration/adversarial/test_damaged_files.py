"""Files of the store that are cut short while they are hot, open, or being written.

A damaged file costs one refetch: it is noticed, dropped and counted, and no signal ends a worker.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.harness.bodies import Body
from tests.harness.certificates import Authority
from tests.harness.edge import Edge, free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Drip, cacheable
from tests.harness.wire import Client, Response, WireError

SMALL = Body(901, 60_000)
SLICED = Body(902, 1_500_000)
LARGE = Body(903, 34_000_000)
TRUST_S = 2.5  # an entry is looked at again every second that somebody asks for it


@dataclass(frozen=True, slots=True)
class Shop:
    """An edge with a plain and a TLS listener and one worker."""

    edge: Edge
    port: int
    authority: Authority

    def client(self, *, tls: bool) -> Client:
        if not tls:
            return self.edge.client()
        context = self.authority.client_context()
        return Client(
            ("127.0.0.1", self.port), tls=context, server_name="example.test", timeout_s=10
        )

    def get(self, path: str, *fields: tuple[str, str], tls: bool) -> Response | None:
        """One answer on a connection of its own; None when it was broken off."""
        with self.client(tls=tls) as client:
            try:
                found = client.get(path, *fields)
            except WireError:
                return None
        return found if found.complete else None

    def files(self) -> set[Path]:
        return {path for path in (self.edge.cache_dir / "objects").rglob("*") if path.is_file()}


@pytest.fixture(scope="module", params=["256KiB", "8MiB"])
def shop(
    request: pytest.FixtureRequest, origin: Origin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("damaged")
    authority = Authority(directory / "authority")
    pair = authority.issue("example.test")
    port = free_port()
    overrides: dict[str, object] = {
        "workers": 1,
        "listen": [{"address": f"127.0.0.1:{port}", "tls": True}],
        "certificate": [{"cert": pair.cert, "key": pair.key}],
        "store": {"size": "1GiB", "slice": request.param, "checksum": "off"},
    }
    with running_edge(origin.url, directory, overrides) as edge:
        edge.expected_errors |= {"stored_slice_damaged", "store_write_failed"}
        yield Shop(edge, port, authority)


def cut(size_bytes: int) -> Callable[[Path], None]:
    """Cut a file to so many bytes (negative: by so many)."""

    def damage(file: Path) -> None:
        os.truncate(file, size_bytes if size_bytes >= 0 else file.stat().st_size + size_bytes)

    return damage


DAMAGE = {
    "emptied": cut(0),
    "header-alone": cut(4096),
    "half": cut(20_000),
    "one-byte-short": cut(-1),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("body", [SMALL, SLICED], ids=["small", "sliced"])
def test_a_hot_file_that_is_cut_short_costs_one_refetch(
    shop: Shop, origin: Origin, path: str, body: Body, damage: str, tls: bool
) -> None:
    origin.serve(path, cacheable(body))
    (worker,) = shop.edge.worker_pids()
    before = shop.files()
    for _ in range(3):
        found = shop.get(path, tls=tls)
        assert found is not None
        assert found.body == body.read()
    counted = shop.edge.metric("headrace_store_corrupt_total")
    for file in shop.files() - before:
        DAMAGE[damage](file)
    asked = len(origin.asked(path))

    def whole() -> bool:
        answer = shop.get(path, tls=tls)
        return answer is not None and answer.body == body.read()

    eventually(whole, "the object is served whole again", TRUST_S + 2)
    for _ in range(5):
        assert whole()
    assert shop.edge.worker_pids() == [worker]
    assert shop.edge.metric("headrace_store_corrupt_total") > counted
    slices = -(-len(body) // (256 * 1024))
    assert len(origin.asked(path)) - asked <= slices


def test_the_first_client_after_the_damage_is_served_whole_over_tls(
    shop: Shop, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(SMALL))
    before = shop.files()
    for _ in range(3):
        assert shop.get(path, tls=True) is not None
    for file in shop.files() - before:
        os.truncate(file, 30_000)
    found = shop.get(path, tls=True)
    assert found is not None
    assert found.body == SMALL.read()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_download_that_loses_its_file_is_broken_off_and_the_worker_lives(
    shop: Shop, origin: Origin, path: str, tls: bool
) -> None:
    origin.serve(path, cacheable(LARGE))
    (worker,) = shop.edge.worker_pids()
    before = shop.files()
    for _ in range(2):
        found = shop.get(path, tls=tls)
        assert found is not None
        assert found.body == LARGE.read()
    with shop.client(tls=tls) as client:
        client.ask(path)
        head = client.head()
        client.read(100_000)
        for file in shop.files() - before:
            os.truncate(file, 4096 + 50_000)
        client.read_body(head)
        assert not head.complete
    found = shop.get(path, ("Range", "bytes=20000000-20100000"), tls=tls)
    if found is not None:
        assert found.body == LARGE.read()[20_000_000:20_100_001]
    eventually(
        lambda: (answer := shop.get(path, tls=tls)) is not None and answer.body == LARGE.read(),
        "the object is served whole again",
    )
    assert shop.edge.worker_pids() == [worker]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_file_that_is_cut_while_it_is_written_ends_no_worker(
    shop: Shop, origin: Origin, path: str, tls: bool
) -> None:
    origin.serve(path, replace(cacheable(SLICED), drip=Drip(16_384, 0.01)))
    (worker,) = shop.edge.worker_pids()
    with shop.client(tls=tls) as client:
        client.ask(path)
        client.head()
        client.read(30_000)
        for file in (shop.edge.cache_dir / "parts").rglob("*"):
            if file.is_file():
                os.truncate(file, 0)
        with contextlib.suppress(WireError):
            client.read(len(SLICED) - 30_000)
    found = shop.get(f"{path}?another", tls=tls)
    assert found is not None
    assert shop.edge.worker_pids() == [worker]
