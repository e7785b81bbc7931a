"""Starting, reloading, draining and stopping a whole edge; its listeners and its one-line form."""

from __future__ import annotations

import contextlib
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge, edge_from_arguments, free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Gate, Pause, Reply, cacheable, headers
from tests.harness.wire import Client, WireError

BODY = Body(91, 600_000)


@pytest.fixture
def own_edge(origin: Origin, tmp_path: Path) -> Iterator[Edge]:
    """An edge of this test's own, to be reloaded and stopped."""
    with running_edge(origin.url, tmp_path) as edge:
        yield edge


def change(edge: Edge, **tables: object) -> None:
    """Write the config again with these top-level tables, and reload."""
    document: dict[str, Any] = tomllib.loads(edge.config_file.read_text())
    edge.write_config({**document, **tables})
    edge.reload()


def test_a_reload_drops_no_connection_and_no_response(
    own_edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    fields = headers(cache_control="no-store")
    origin.serve(path + "/idle", cacheable(b"x"))
    origin.serve(path, Reply(headers=fields, body=BODY, pause=Pause(100_000, gate)))
    with own_edge.client() as idle, own_edge.client() as busy:
        idle.get(path + "/idle")
        busy.ask(path)
        busy.head()
        change(own_edge, log_level="debug")
        gate.open()
        assert busy.read(600_000) == BODY.read()
        assert idle.get(path + "/idle").body == b"x"


def test_a_reload_puts_new_rules_in_force_on_all_workers(
    own_edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, lambda request: Reply(body=b"x"))
    own_edge.get(path)
    own_edge.get(path)
    assert origin.count(path) == 2
    document = tomllib.loads(own_edge.config_file.read_text())
    service = {**document["service"][0], "cache": {"default_lifetime": 60}}
    change(own_edge, service=[service])
    own_edge.get(path)
    assert all(own_edge.get(path).hit for _ in range(12))


def test_a_faulty_config_is_logged_and_the_old_one_stays(
    own_edge: Edge, origin: Origin, path: str
) -> None:
    own_edge.expected_errors.add("reload_failed")
    origin.serve(path, cacheable(b"x"))
    own_edge.config_file.write_text("workers = 'many'\n")
    own_edge.reload()
    assert own_edge.events("reload_failed")
    assert own_edge.get(path).body == b"x"


def test_a_reload_opens_and_closes_listeners(own_edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    port = free_port()
    old = {"address": f"127.0.0.1:{own_edge.port}"}
    change(own_edge, listen=[old, {"address": f"127.0.0.1:{port}"}])
    with Client(("127.0.0.1", port)) as client:
        assert client.get(path).status == 200
    change(own_edge, listen=[old])
    with pytest.raises(ConnectionRefusedError):
        Client(("127.0.0.1", port))


def test_requests_through_many_reloads_are_all_answered(
    own_edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    for _ in range(5):
        own_edge.signal(signal.SIGHUP)
        for _ in range(20):
            assert own_edge.get(path).body == BODY.read()


def test_a_stop_lets_running_responses_end(own_edge: Edge, origin: Origin, path: str) -> None:
    gate = Gate()
    origin.serve(path, Reply(body=BODY, pause=Pause(100_000, gate)))
    with own_edge.client() as client:
        client.ask(path)
        client.head()
        own_edge.signal(signal.SIGTERM)
        eventually(lambda: not _accepts(own_edge), "new connections are refused")
        gate.open()
        assert client.read(600_000) == BODY.read()
    assert own_edge.stop() == 0


def test_a_stop_closes_idle_connections(own_edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    with own_edge.client() as client:
        client.get(path)
        own_edge.signal(signal.SIGTERM)
        assert client.ended()


def test_a_stop_ends_within_its_time_though_a_response_hangs(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    gate = Gate()
    origin.serve(path, Reply(body=BODY, pause=Pause(100_000, gate)))
    with running_edge(origin.url, tmp_path, {"drain_timeout": 1}) as edge, edge.client() as client:
        client.ask(path)
        client.head()
        assert edge.stop() == 0
        gate.open()


def test_draining_says_close_and_undraining_takes_it_back(
    own_edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"x"))
    own_edge.ask_admin("POST", "/drain")
    assert own_edge.ask_admin("GET", "/ready", token=None).status == 503
    eventually(lambda: own_edge.get(path).header("connection") == "close", "responses say close")
    own_edge.ask_admin("POST", "/undrain")
    assert own_edge.ask_admin("GET", "/ready", token=None).status == 200

    def kept() -> bool:
        with own_edge.client() as client, contextlib.suppress(WireError):
            client.get(path)
            return client.get(path).status == 200
        return False

    eventually(kept, "connections are kept again")


def test_unix_sockets_and_ipv6_are_listened_on(origin: Origin, tmp_path: Path, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    socket_path = tmp_path / "edge.sock"
    port = free_port()
    listen = [{"address": f"unix:{socket_path}"}, {"address": f"[::1]:{port}"}]
    with running_edge(origin.url, tmp_path, {"listen": listen}):
        for address in (socket_path, ("::1", port)):
            with Client(address) as client:
                assert client.get(path).body == BODY.read()


def test_services_have_their_own_origins_and_stores(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    with Origin() as second:
        origin.serve(path, cacheable(b"first"))
        second.serve(path, cacheable(b"second"))
        service = {"name": "second", "hosts": ["*.second.test"], "origins": [second.url]}
        with running_edge(origin.url, tmp_path, {"more_services": [service]}) as edge:
            for _ in range(2):
                assert edge.get(path, ("Host", "any.test")).body == b"first"
                assert edge.get(path, ("Host", "www.second.test")).body == b"second"


def test_a_host_that_no_service_serves_is_refused(origin: Origin, tmp_path: Path) -> None:
    only = {"service": {"hosts": ["only.test"]}}
    with running_edge(origin.url, tmp_path, only) as edge:
        assert edge.get("/", ("Host", "other.test")).status in (404, 421)


def test_the_one_line_form_serves_and_makes_its_own_token(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    with edge_from_arguments(origin.url, tmp_path, "--workers", "1") as edge:
        assert edge.get(path).body == BODY.read()
        assert edge.get(path).hit
        token = (tmp_path / "cache" / "admin.token").read_text().strip()
        assert edge.ask_admin("GET", "/stats", token=token).status == 200
        assert len(edge.worker_pids()) == 1


def test_a_second_edge_on_the_same_cache_is_refused(own_edge: Edge, origin: Origin) -> None:
    settings = {"cache_dir": own_edge.cache_dir}
    directory = own_edge.directory / "second"
    with (
        pytest.raises(AssertionError, match="the edge ended at its start"),
        running_edge(origin.url, directory, settings),
    ):
        pass


def _accepts(edge: Edge) -> bool:
    try:
        edge.client().close()
    except OSError:
        return False
    return True
