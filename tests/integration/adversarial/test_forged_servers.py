"""Clients that claim to be servers of the network, and servers that are told from them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from headrace.upstream.peering import Peer, PeerSecrets, PurgeTimes, sign
from tests.harness.edge import HOST, free_port
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import cacheable
from tests.harness.sites import SECRET, SITE, RunningSite, running_site
from tests.harness.wire import Client

OURS = PeerSecrets((SECRET.encode(),))
OTHERS = PeerSecrets((b"a secret of somebody else, as long",))
SIBLING = Peer("two", SITE)


@contextlib.contextmanager
def two_servers(
    directory: Path, further: Mapping[str, list[dict[str, object]]] = {}
) -> Iterator[tuple[Origin, RunningSite]]:
    """Two servers of a site, of which "one" is asked: it owns "/film"."""
    names = ("one", "two")
    with Origin() as origin, running_site(origin.url, directory, names, further=further) as found:
        origin.serve_under("/", lambda _request: cacheable(b"as it is"))
        yield origin, found


@pytest.fixture(scope="module")
def peer_port() -> int:
    """Where "one" has an address for servers alone."""
    return free_port()


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, peer_port: int
) -> Iterator[tuple[Origin, RunningSite]]:
    """A site for what changes nothing of it."""
    further: dict[str, list[dict[str, object]]] = {
        "one": [{"address": f"127.0.2.1:{peer_port}", "peers": True}]
    }
    with two_servers(tmp_path_factory.mktemp("site"), further) as found:
        assert found[1].order("/film")[0] == "one"
        yield found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Origin, RunningSite]]:
    """One whose secret a test may change."""
    with two_servers(tmp_path / "s") as found:
        yield found


def signed(
    target: str, asker: Peer = SIBLING, secrets: PeerSecrets = OURS, *, at: float | None = None,
    method: str = "GET",
) -> tuple[str, str]:  # fmt: skip
    """Return the field of a request as a server signs it."""
    now = time.time() if at is None else at
    ((name, value),) = sign(secrets, method.encode(), HOST.encode(), target.encode(), asker, now)
    return name.decode(), value.decode()


def test_no_client_passes_for_a_server(shared: tuple[Origin, RunningSite]) -> None:
    origin, servers = shared
    known = Peer("two", SITE, 1, PurgeTimes(not_before=time.time() + 5))
    good = signed("/film")
    with servers.client("one") as client:
        client.get("/film")
        asked = origin.count("/film")
        for fields in (
            [signed("/film", known, OTHERS)],
            [signed("/other", known)],
            [signed("/film", known, method="HEAD")],
            [signed("/film", known, at=time.time() - 60)],
            [signed("/film", known, at=time.time() + 60)],
            [signed("/film", Peer("three", SITE, 1, known.purges))],
            [signed("/film", Peer("two", "elsewhere", 1, known.purges))],
            [good, good],
            [(good[0], good[1][:-4])],
            [(good[0], good[1] + "0")],
            [(good[0], "")],
            [(good[0], "1 " * 200)],
        ):
            refused = client.get("/film", *fields)
            assert refused.status == 421
            assert b"signature" not in refused.body
            assert b"clock" not in refused.body
        assert client.get("/film").body == b"as it is"
        believed = client.get("/film", good)
        assert (believed.status, believed.header("headrace-began") is None) == (200, False)
    assert origin.count("/film") == asked
    for heard in origin.asked("/film"):
        assert heard.header("headrace-peer") is None
        assert "test" in str(heard.header("cdn-loop"))


def test_every_word_of_servers_from_a_client_is_only_words(
    shared: tuple[Origin, RunningSite],
) -> None:
    _origin, servers = shared
    fields = (
        ("Headrace-Began", "999999999"), ("Cache-Status", "two; hit"), ("CDN-Loop", "test, a"),
        ("Via", "1.1 three"),
    )  # fmt: skip
    with servers.client("one") as client:
        for _time in range(3):
            answer = client.get("/film", *fields)
            assert answer.status == 200
            assert answer.header("headrace-began") is None
            assert "two; hit" not in str(answer.header("cache-status"))


def test_a_request_that_is_sent_again_gets_no_more_than_a_client(
    shared: tuple[Origin, RunningSite],
) -> None:
    origin, servers = shared
    target = next(f"/{n}" for n in range(99) if servers.order(f"/{n}")[0] == "one")
    with servers.client("one") as client:
        client.get(target)
        known = Peer("two", SITE, 1, PurgeTimes(not_before=time.time()))
        stolen = signed(target, known)
        for _again in range(20):
            assert client.get(target, stolen).body == b"as it is"
    # The purge that it tells of is heeded: what was fetched after that is not fetched again.
    assert origin.count(target) <= 4


def test_a_secret_is_replaced_while_servers_ask(site: tuple[Origin, RunningSite]) -> None:
    _origin, servers = site
    new = PeerSecrets((b"the new secret, made of many letters",))
    path = servers.edges["one"].directory.parent / "secret"

    def write(*lines: bytes) -> None:
        newer = path.with_name("newer")
        newer.write_bytes(b"\n".join(lines) + b"\n")
        os.replace(newer, path)

    def believed(secrets: PeerSecrets) -> bool:
        with servers.client("one") as client:
            return client.get("/film", signed("/film", SIBLING, secrets)).status == 200

    assert believed(OURS)
    assert not believed(new)
    write(new.secrets[0], SECRET.encode())
    eventually(lambda: believed(new), "the new secret is believed")
    assert believed(OURS)
    write(b"short")
    write(new.secrets[0])
    eventually(lambda: not believed(OURS), "the old secret is not believed any more")
    assert believed(new)


def test_an_address_for_servers_answers_no_client(
    shared: tuple[Origin, RunningSite], peer_port: int
) -> None:
    _origin, servers = shared
    refused = "headrace_peer_requests_refused_total"
    before = servers.edges["one"].metric(refused)
    with servers.client("one") as client:
        for _time in range(3):
            assert client.get("/film").status == 200
    with Client(("127.0.2.1", peer_port)) as client:
        assert client.get("/film").status == 421
        assert client.get("/film", ("Range", "bytes=0-1")).status == 421
        assert client.get("/film", signed("/film", secrets=OTHERS)).status == 421
        assert client.get("/film", signed("/film")).body == b"as it is"
        assert client.get("/film").status == 421
    assert servers.edges["one"].metric(refused) - before == 1
