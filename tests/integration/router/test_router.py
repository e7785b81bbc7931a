"""A router as processes: where clients are sent, and what happens to it meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from headrace.topology.view import ServerState
from tests.harness.certificates import Authority
from tests.harness.polling import eventually
from tests.harness.router import HOST, NETWORK, NORTH, OTHERS, SOUTH, Router
from tests.harness.wire import Client

FAILED, DRAINING = ServerState.FAILED, ServerState.DRAINING


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """One router for what changes nothing of it."""
    with Router(tmp_path_factory.mktemp("router")) as running:
        running.write(
            'trusted_proxies = ["127.0.9.0/24"]',
            '[debug]\nnetworks = ["127.0.1.0/24"]',
        )
        running.start()
        yield running


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    """One that a test may hurt."""
    with Router(tmp_path) as running:
        running.write()
        running.start()
        yield running


def everyone_goes(router: Router, client: str, site: str) -> None:
    """Wait until all workers send a client there."""
    eventually(
        lambda: {router.site(client, f"/film/{n}") for n in range(12)} == {site},
        f"{client} is sent {site}",
        30,
    )


def test_clients_are_sent_by_coverage(shared: Router) -> None:
    assert {shared.site(NORTH, f"/film/{n}") for n in range(8)} == {"north"}
    assert {shared.site(SOUTH, f"/film/{n}") for n in range(8)} == {"south"}


def test_all_workers_answer_alike(shared: Router) -> None:
    assert len(set(shared.worker_pids())) == 2
    assert len({shared.location("/film/7.m4s?x=%2F", OTHERS) for _ in range(20)}) == 1


def test_clients_of_no_coverage_are_shared_by_weight(shared: Router) -> None:
    clients = [f"127.{number // 200 + 1}.{number % 200}.9" for number in range(400)]
    north = sum(shared.site(client) == "north" for client in clients)
    assert 260 < north < 340, "three of four"


def test_a_connection_is_used_again_and_again(shared: Router) -> None:
    with Client(shared.address, host=HOST) as client:
        for number in range(50):
            response = client.get(f"/film/{number % 5}")
            assert response.status == 302
        client.sock.sendall(b"GET /a HTTP/1.1\r\nHost: vod.example\r\n\r\n" * 30)
        assert {client.response().status for _ in range(30)} == {302}


def test_only_a_trusted_proxy_speaks_for_others(shared: Router) -> None:
    assert shared.get("/f", SOUTH, X_Forwarded_For=NORTH).headers["location"][7] == "s"
    assert shared.get("/f", "127.0.9.1", X_Forwarded_For=NORTH).headers["location"][7] == "n"
    chain = f"{NORTH}, {SOUTH}, 127.0.9.2"
    assert shared.get("/f", "127.0.9.1", X_Forwarded_For=chain).headers["location"][7] == "s"
    told = shared.get("/f", "127.0.9.1", X_Forwarded_For=NORTH, X_Forwarded_Proto="https")
    assert told.headers["location"].startswith("https://n")


def test_the_debug_answer_is_for_those_allowed(shared: Router) -> None:
    shown = shared.get("/f?headrace-debug", NORTH)
    assert shown.status == 200
    assert json.loads(shown.body)["coverage"] == "a"  # type: ignore[attr-defined]
    assert shared.get("/f?headrace-debug", SOUTH).status == 403
    assert shared.get("/f?headrace-debug", SOUTH, X_Forwarded_For=NORTH).status == 403


def test_the_api_answers_other_pages(shared: Router) -> None:
    url = quote(f"http://{HOST}/film/1", safe="")
    located = shared.get(f"/v1/locate?url={url}", NORTH, host="router.example")
    assert located.status == 200
    assert located.headers["access-control-allow-origin"] == "*"
    steered = shared.get(f"/v1/steering?url={url}&pathways=r", SOUTH, host="router.example")
    assert steered.headers["content-type"] == "application/vnd.apple.steering-list"
    assert json.loads(steered.body)["PATHWAY-PRIORITY"][0][0] == "s"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET\r\n\r\n",
        b"GET /f HTTP/9.9\r\nHost: vod.example\r\n\r\n",
        b"GET /f HTTP/1.1\r\nHost: vod.example\r\nHost: evil.example\r\n\r\n",
        b"GET /f HTTP/1.1\r\nHost : vod.example\r\n\r\n",
        b"GET /f\x00 HTTP/1.1\r\nHost: vod.example\r\n\r\n",
        b"GET /f HTTP/1.1\r\nHost: vod.example\x00\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: vod.example\r\n\r\n",
        b"GET /f HTTP/1.1\r\nHost: vod.example\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET http://evil.example/f HTTP/1.1\r\nHost: vod.example\r\n\r\n",
        b"GET /f HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /f HTTP/1.1\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
        b"POST /f HTTP/1.1\r\nHost: vod.example\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /%zz HTTP/1.1\r\nHost: vod.example\r\n\r\n",
    ],
)
def test_garbage_is_refused_and_says_nothing_of_the_inside(
    shared: Router, request_bytes: bytes
) -> None:
    with Client(shared.address) as client:
        client.sock.sendall(request_bytes)
        response = client.response()
    assert 400 <= response.status < 500 or response.status in (501, 505)
    assert response.header("location") is None
    assert response.header("content-type") == "application/problem+json"
    for word in (b"cdn.example", b"/src/", b"Traceback", b"north", str(shared.directory).encode()):
        assert word not in response.body


def test_decisions_are_counted(shared: Router) -> None:
    for _ in range(5):
        shared.location("/counted", NORTH)
    counted = shared.metrics()
    assert set(counted["headrace_routed_sites"]) <= {"north", "south"}
    assert counted["headrace_routed_classes"]["vod"] >= 5
    assert set(counted["headrace_routed_reasons"]) <= {"coverage", "any"}


def test_a_view_moves_clients_and_its_loss_does_not(router: Router) -> None:
    everyone_goes(router, NORTH, "north")
    router.put_view(n1=FAILED, n2=FAILED)
    everyone_goes(router, NORTH, "south")
    router.view.unlink()
    router.view.with_name("other").touch()
    pid = router.worker_pids()[0]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(router.worker_pids()) - {pid}) == 2, "there are two again")
    everyone_goes(router, NORTH, "south")
    router.put_view(n2=FAILED)
    eventually(
        lambda: {router.location(f"/f/{n}", NORTH)[:9] for n in range(12)} == {"http://n1"},
        "all are sent to the one that is left",
        30,
    )


def test_a_new_description_is_routed_by_and_a_wrong_one_is_not(router: Router) -> None:
    everyone_goes(router, SOUTH, "south")
    router.put_network(
        NETWORK.replace('"127.0.2.0/24"', '"127.0.4.0/24"').replace(
            'prefixes = ["127.0.1.0/24"]', 'prefixes = ["127.0.1.0/24", "127.0.2.0/24"]'
        )
    )
    everyone_goes(router, SOUTH, "north")
    router.put_network(NETWORK + "[[class]]\n")
    router.event("network_refused")
    everyone_goes(router, SOUTH, "north")


def test_it_survives_a_workers_death_and_a_reload_changes_all_or_none(router: Router) -> None:
    pid = router.worker_pids()[0]
    os.kill(pid, signal.SIGKILL)
    router.event("worker_died")
    assert router.site(NORTH) == "north"
    eventually(lambda: len(set(router.worker_pids()) - {pid}) == 2, "there are two again")
    everyone_goes(router, NORTH, "north")
    assert router.get("/f?headrace-debug", NORTH).status == 302
    router.write(tables='[debug]\nnetworks = ["127.0.1.0/24"]')
    assert router.ask("POST", "/reload").status == 200
    assert {router.get("/f?headrace-debug", NORTH).status for _ in range(12)} == {200}
    router.write(tables='[debug]\ntoken_file = "nowhere"')
    assert b"cannot read the debug token" in router.ask("POST", "/reload").body
    assert {router.get("/f?headrace-debug", NORTH).status for _ in range(12)} == {200}
    router.write("state_dir = 7")
    assert router.ask("POST", "/reload").status == 422


def test_clients_with_tls_are_sent_on_with_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue(HOST)
    with Router(tmp_path) as router:
        router.write(
            listen=f"""
[[listen]]
address = "127.0.0.1:0"
tls = true
[[certificate]]
cert = "{pair.cert}"
key = "{pair.key}"
"""
        )
        router.start()
        context = ssl.create_default_context(cafile=str(authority.ca_file))
        with Client(router.address, tls=context, server_name=HOST, host=HOST) as client:
            for _ in range(3):
                location = client.get("/film/1").header("location")
                assert location is not None
                assert location.startswith("https://")
            assert client.get("/f", ("Host", "other.example")).status in (400, 404, 421)
        with Client(router.address, tls=context, server_name=HOST, host="other.example") as client:
            assert client.get("/v1/locate?url=x").status == 421


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_resumes_on_another_router_with_the_same_secrets(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    authority = Authority(tmp_path / "ca")
    pair = authority.issue(HOST)
    secrets = tmp_path / "ticket.secrets"
    secrets.write_bytes(b"0123456789" * 4 + b"\n")
    secrets.chmod(0o600)
    context = authority.client_context()
    context.minimum_version = context.maximum_version = version
    session: ssl.SSLSession | None = None
    resumed = []
    with contextlib.ExitStack() as running:
        for name in "ab":
            (tmp_path / name).mkdir()
            router = running.enter_context(Router(tmp_path / name))
            router.write(
                listen=f"""
[[listen]]
address = "127.0.0.1:0"
tls = true
[[certificate]]
cert = "{pair.cert}"
key = "{pair.key}"
[tls]
ticket_secret_file = "{secrets}"
"""
            )
            router.start()
            with Client(router.address, tls=context, server_name=HOST, session=session) as client:
                assert client.get("/film/1", ("Host", HOST)).status == 302
                assert isinstance(client.sock, ssl.SSLSocket)
                session = client.sock.session
                resumed.append(client.sock.session_reused)
    assert resumed == [False, True]


def test_two_routers_answer_alike_and_one_may_die(router: Router, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    with Router(tmp_path / "second") as second:
        second.write()
        second.start()
        clients = [f"127.{number + 1}.1.9" for number in range(30)]
        before = [router.location("/film/1", client) for client in clients]
        assert [second.location("/film/1", client) for client in clients] == before
        os.kill(router.pid, signal.SIGKILL)
        router.ended()
        assert [second.location("/film/1", client) for client in clients] == before
        second.signal(signal.SIGTERM)
        assert second.ended() == 0


def test_a_wrong_configuration_is_refused_with_its_line(tmp_path: Path) -> None:
    with Router(tmp_path) as router:
        router.write('trusted_proxies = ["10.0.0.1/8"]')
        router.launch()
        assert router.ended() == 2
        text = " ".join(str(one.get("line", "")) for one in router.events)
        assert "edge.toml:5: error: trusted_proxies[0]" in text
        assert "is no network" in text


def test_a_wrong_network_is_refused_at_the_start(tmp_path: Path) -> None:
    with Router(tmp_path) as router:
        router.put_network("[[site]]\n")
        router.write()
        router.launch()
        assert router.ended() == 2
