"""Pools that watch their origins, and routes between pools."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import End, Gate, Pause, Recorded, Reply, cacheable, headers

from .conftest import Lab, pool

NO_STORE = headers(cache_control="no-store")
SMALL = Body(421, 1_000)


@contextlib.contextmanager
def edge_with(
    directory: Path, origins: list[Origin], service: Mapping[str, object]
) -> Iterator[Edge]:
    overrides: dict[str, object] = {
        "workers": 1,
        "timeouts": {"origin_connect": 0.5, "origin_first_byte": 1},
        "more_services": [{"name": "s", "hosts": ["s.test"], "debug": True, **service}],
    }
    with running_edge(origins[0].url, directory, overrides) as edge:
        yield edge


@pytest.fixture
def pair() -> Iterator[list[Origin]]:
    with Origin() as one, Origin() as other:
        for origin in (one, other):
            origin.serve_under("/", lambda _request: Reply(headers=NO_STORE, body=b"here"))
        yield [one, other]


def compared(edge: Edge, result: str) -> bool:
    return edge.metric("headrace_mirror_compared_total", result=result) == 1


def ask(edge: Edge, path: str, *fields: tuple[str, str]) -> int:
    return edge.get(path, ("Host", "s.test"), *fields).status


def test_health_checks_take_an_origin_out_and_bring_it_back(
    tmp_path: Path, pair: list[Origin]
) -> None:
    one, other = pair
    health = {"path": "/health", "interval": 0.1, "rise": 2, "fall": 2, "body": "fine"}
    fine, ill = Reply(body=b"all is fine"), Reply(body=b"all is lost")
    one.serve("/health", fine)
    other.serve("/health", fine)
    service = {"pool": [pool([one.url, other.url], "switch", health=health)]}
    with edge_with(tmp_path, pair, service) as edge:
        edge.expected_errors = {"origin_down"}
        assert ask(edge, "/a") == 200
        one.serve("/health", ill)
        eventually(lambda: bool(edge.events("origin_down")), "the origin is seen to be down")
        assert ask(edge, "/b") == 200
        assert (one.count("/b"), other.count("/b")) == (0, 1)
        one.serve("/health", fine)
        eventually(lambda: bool(edge.events("origin_up")), "the origin is seen to be up")
        assert ask(edge, "/c") == 200
        assert one.count("/c") == 1


def test_an_outlier_is_left_alone_but_never_all_of_them(tmp_path: Path, pair: list[Origin]) -> None:
    one, other = pair
    rule = {"failures": 3, "ejection": "1m", "clients": 1}
    service = {"pool": [pool([one.url, other.url], "switch", outliers=rule)]}
    down = Reply(end=End("before_head", reset=True))
    with edge_with(tmp_path, pair, service) as edge:
        for number in range(6):
            one.serve(f"/{number}", down)
            assert ask(edge, f"/{number}") == 200
        assert sum(one.count(f"/{number}") for number in range(3, 6)) == 0
        assert len(edge.events("origin_ejected")) == 1
        for number in range(10, 16):
            one.serve(f"/{number}", down)
            other.serve(f"/{number}", down)
            assert ask(edge, f"/{number}") == 502
        assert len(edge.events("origin_ejected")) == 1


def test_a_full_origin_is_not_asked_for_more(tmp_path: Path, pair: list[Origin]) -> None:
    one, other = pair
    made = pool([one.url, other.url], "switch")
    origins = made["origin"]
    assert isinstance(origins, list)
    origins[0]["concurrent"] = 1
    gate = Gate()
    slow = Reply(headers=NO_STORE, body=b"slow", pause=Pause(at=0, gate=gate))
    one.serve("/slow", slow)
    with edge_with(tmp_path, pair, {"pool": [made]}) as edge, edge.client() as client:
        client.ask("/slow", ("Host", "s.test"))
        one.wait_for("/slow")
        assert ask(edge, "/next") == 200
        assert (one.count("/next"), other.count("/next")) == (0, 1)
        gate.open()
        assert client.response().body == b"slow"
        assert ask(edge, "/then") == 200
        assert one.count("/then") == 1


def test_the_budget_keeps_a_dead_pool_from_being_stormed(
    tmp_path: Path, pair: list[Origin]
) -> None:
    one, other = pair
    down = Reply(end=End("before_head", reset=True))
    for origin in pair:
        origin.serve_under("/", lambda _request: down)
    made = pool([one.url, other.url], "retry", retry_budget=0.2)
    with edge_with(tmp_path, pair, {"pool": [made]}) as edge:
        for number in range(100):
            assert ask(edge, f"/{number}") == 502
        asked = sum(edge.metric("headrace_origin_requests_total", origin=f"s/p/{o}") for o in "ab")
        # Twenty by the budget, ten that it begins with, and one for each second.
        assert 100 < asked < 160


def test_routes_rewrite_roll_out_and_mirror(tmp_path: Path, pair: list[Origin]) -> None:
    old, new = pair
    for origin in pair:
        origin.serve_under("/", lambda _request: cacheable(SMALL))
    service: dict[str, object] = {
        "pool": [
            pool([old.url], "switch", name="old"),
            pool([new.url], "switch", name="new"),
        ],
        "route": [
            {"name": "moved", "prefix": "/moved/", "pool": "new", "rewrite": "/v2/\\1"},
            {"name": "beta", "headers": {"X-Beta": "yes*"}, "pool": "new"},
            {"name": "some", "prefix": "/some/", "share": 0.5, "pool": "new"},
            {"name": "watch", "path": "/watch/*", "mirror": "new"},
        ],
    }
    with edge_with(tmp_path, pair, service) as edge:
        found = edge.get("/moved/a.ts", ("Host", "s.test"))
        assert (found.status, found.header("location")) == (200, None)
        assert (new.count("/v2/a.ts"), old.count("/moved/a.ts")) == (1, 0)
        assert "moved/a.ts" in (found.header("cache-status") or "")  # the key is the client's
        assert edge.get("/moved/a.ts", ("Host", "s.test")).hit

        assert ask(edge, "/x", ("X-Beta", "yes, please")) == 200
        assert new.count("/x") == 1

        for number in range(60):
            assert ask(edge, f"/some/{number}") == 200
        taken = [number for number in range(60) if new.count(f"/some/{number}")]
        assert 15 < len(taken) < 45
        edge.purge(all=True)
        for number in range(60):
            assert ask(edge, f"/some/{number}") == 200
        assert [number for number in range(60) if new.count(f"/some/{number}")] == taken

        new.serve("/watch/other", cacheable(Body(422, 1_000)))
        new.serve("/watch/short", cacheable(Body(421, 900)))
        new.serve("/watch/gone", Reply(status=404))
        for name in ("same", "other", "short", "gone"):
            assert edge.get(f"/watch/{name}", ("Host", "s.test")).body == SMALL.read()
            new.wait_for(f"/watch/{name}")
        for result in ("same", "body", "length", "status"):
            eventually(partial(compared, edge, result), f"a comparison with the result {result}")


def test_a_switch_costs_one_request_and_no_connect_if_one_is_kept(lab: Lab, path: str) -> None:
    body = Body(423, 300_000)
    good = cacheable(body)
    second = lab.origins[1]

    def switched(number: int) -> None:
        lab.origins[0].serve(f"{path}/{number}", replace(good, end=End(100_000)))
        second.serve(f"{path}/{number}", good)
        found = lab.edge.get(f"{path}/{number}", ("Host", "scripted-switch.test"))
        assert found.complete
        assert found.body == body.read()
        assert lab.counts(f"{path}/{number}") == [1, 1, 0]

    for number in range(20):
        switched(number)  # now both workers have a connection to the second
    before = second.connections
    for number in range(100, 110):
        switched(number)
    assert second.connections == before


def test_explain_says_what_would_happen(tmp_path: Path, lab: Lab) -> None:
    config = str(lab.edge.config_file)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "headrace"), "explain", "--config", config,
         "http://scripted-switch.test/a/seg-1.m4s", "-H", "X-Test: 1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines() if line[:1].strip())
    assert lines["service"] == "scripted-switch"
    assert lines["key"] == "scripted-switch scripted-switch.test/a/seg-1.m4s"
    assert lines["pool"] == "p"
    assert "content type   segment" in done.stdout
    assert done.stdout.count("\ntry ") == 3


def test_a_host_for_each_origin_and_fields_of_its_own(tmp_path: Path, pair: list[Origin]) -> None:
    one, other = pair
    made = pool([one.url, other.url], "switch")
    origins = made["origin"]
    assert isinstance(origins, list)
    origins[0] |= {"host": "origin", "headers": {"X-Key": "for-one"}}
    origins[1] |= {"host": "other.example"}
    down: list[Recorded] = []

    def record(request: Recorded) -> Reply:
        down.append(request)
        return Reply(end=End("before_head", reset=True))

    one.serve("/h", record)
    with edge_with(tmp_path, pair, {"pool": [made]}) as edge:
        assert ask(edge, "/h", ("X-Key", "the client's")) == 200
    assert down[0].header("host") == f"127.0.0.1:{one.port}"
    assert down[0].header("x-key") == "for-one"
    shared, second = other.asked("/h")  # what all may get, and then the client's own
    assert {shared.header("host"), second.header("host")} == {"other.example"}
    assert (shared.header("x-key"), second.header("x-key")) == (None, "the client's")
