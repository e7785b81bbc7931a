"""The admin API, asked over its real listener; the server behind it is a stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from headrace.cache.key import KeyRules
from headrace.config import Config
from headrace.config.addresses import parse_address
from headrace.edge.admin.operations import edge_operations
from headrace.edge.admin.purging import Directory, ServiceKeys
from headrace.edge.admin.report import EdgeReport, edge_facts
from headrace.edge.admin.store_thread import StoreThread
from headrace.errors import HeadraceError
from headrace.node.admin.app import AdminError, AdminServer
from headrace.node.admin.load import Identity
from headrace.node.admin.openapi import document
from headrace.node.launching import Launcher
from headrace.node.questions import Questions
from headrace.node.worker_pool import WorkerPool
from headrace.telemetry.facts import ServerFacts
from headrace.telemetry.metrics import Snapshot, WorkerMetrics
from tests.harness.admin_operations import edge_admin_operations, misfits
from tests.harness.fake_store import FakeStore

TOKEN = "the-token-of-this-test"
OBJECTS = [
    f"{service}\nvideo.example/{name}".encode()
    for service in ("exact", "wild")
    for name in ("a", "b", "c")
]
DOCUMENT = document(edge_admin_operations())
DIRECTORY = Directory(
    (
        ServiceKeys("exact", (b"video.example",), KeyRules()),
        ServiceKeys("wild", (b"*.example",), KeyRules()),
        ServiceKeys("other", (b"other.test",), KeyRules()),
    )
)


@dataclass
class Stub:
    """What the admin API asks of the server, with answers that a test can set."""

    store: StoreThread
    directory: Directory = DIRECTORY
    reason: str | None = None
    impaired: str = ""
    trouble: HeadraceError | None = None
    done: list[str] = field(default_factory=list)
    workers: Questions = field(default_factory=lambda: WorkerPool(Launcher(())).questions)

    report = EdgeReport

    def not_ready_because(self) -> str | None:
        return self.reason

    def impairment(self) -> str:
        return self.impaired

    async def readiness(self) -> str | None:
        return self.reason

    async def totals(self) -> Snapshot:
        return WorkerMetrics().snapshot()

    async def facts(self) -> ServerFacts:
        return ServerFacts(
            version="1",
            python="3",
            started=0.0,
            not_ready_because=self.reason,
            draining=False,
            workers_wanted=1,
            worker_exits=0,
            reloads_succeeded=0,
            reloads_failed=0,
            role=edge_facts(await self.store.stats(), await self.store.generation()),
        )

    def drain(self) -> None:
        self.done.append("drain")

    def undrain(self) -> None:
        self.done.append("undrain")

    async def reload(self) -> int:
        if self.trouble is not None:
            raise self.trouble
        return 2

    def purged(self) -> None:
        self.done.append("purged")

    def identity(self) -> Identity:
        return Identity("edge-1", "edge")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Room:
    """An open admin, the stand-in behind it and the store behind that."""

    stub: Stub
    store: FakeStore
    url: str
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, *, token: str | None = TOKEN, **more: Any
    ) -> Answer:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.session.request(
            method, self.url + path, headers=headers, **more
        ) as response:
            answer = Answer(response.status, dict(response.headers), await response.text())
        kind = answer.headers["Content-Type"]
        assert not misfits(DOCUMENT, method, path, answer.status, kind, answer.text)
        return answer


@asynccontextmanager
async def room(address: str = "127.0.0.1:0") -> AsyncIterator[Room]:
    store = FakeStore(OBJECTS)

    def opener(_config: Config) -> FakeStore:
        return store

    thread = await StoreThread.open(opener, None)  # type: ignore[arg-type]  # not looked at
    stub = Stub(thread)
    admin = await AdminServer.open(parse_address(address), stub, TOKEN, edge_operations(stub, stub))
    connector = aiohttp.UnixConnector(address[5:]) if address.startswith("unix:") else None
    url = "http://admin" if connector else admin.url
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Room(stub, store, url, session)
    finally:
        await admin.close()
        await thread.close()


def in_room(test: Callable[[Room], Awaitable[None]]) -> None:
    async def go() -> None:
        async with room() as opened:
            await test(opened)

    asyncio.run(go())


def asked(method: str, path: str, **more: Any) -> Answer:
    """One question in a room of its own."""
    found: list[Answer] = []

    async def test(opened: Room) -> None:
        found.append(await opened.ask(method, path, **more))

    in_room(test)
    return found[0]


def purges_of(body: dict[str, Any]) -> list[tuple[str, bytes, bool, str | None]]:
    """What the store was told to purge."""
    found: list[tuple[str, bytes, bool, str | None]] = []

    async def test(opened: Room) -> None:
        answer = await opened.ask("POST", "/purge", json=body)
        assert answer.status == 200, answer.text
        assert answer.json()["rules"] == len(opened.store.made)
        assert opened.stub.done == ["purged"]
        found.extend((one.kind, one.value, one.soft, one.service) for one in opened.store.made)

    in_room(test)
    return found


# Who may ask.

EVERY_OPERATION = [(one.method, one.path) for one in edge_admin_operations()]


@pytest.mark.parametrize(("method", "path"), EVERY_OPERATION)
def test_without_the_token_only_live_and_ready_answer(method: str, path: str) -> None:
    answer = asked(method, path, token=None)
    assert answer.status == (200 if path in {"/live", "/ready"} else 401)


@pytest.mark.parametrize(("method", "path"), EVERY_OPERATION)
def test_every_operation_of_the_description_exists(method: str, path: str) -> None:
    wrong = "?no=1" if path == "/log" else ""  # it would go on for ever
    assert asked(method, path + wrong).status not in {404, 405} or path == "/objects/inspect"


def test_the_description_is_served_as_it_is_derived() -> None:
    assert asked("GET", "/openapi.json").json() == DOCUMENT


def test_a_wrong_token_is_refused_as_a_problem() -> None:
    answer = asked("GET", "/stats", token="x" * 22)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_a_name_that_dns_may_turn_here_is_refused() -> None:
    assert asked("GET", "/stats", headers={"Host": "evil.example"}).status == 403


def test_a_health_check_may_use_any_name() -> None:
    assert asked("GET", "/ready", token=None, headers={"Host": "edge.example"}).status == 200


def test_another_sites_page_is_refused() -> None:
    headers = {"Origin": "http://evil.example"}
    assert asked("POST", "/drain", headers=headers).status == 403


def test_a_form_is_not_json() -> None:
    answer = asked("POST", "/purge", data={"all": "true"})
    assert answer.status == 415


def test_a_large_body_is_refused() -> None:
    headers = {"Content-Type": "application/json"}
    answer = asked("POST", "/purge", data=b"x" * 100_000, headers=headers)
    assert (answer.status, answer.json()["status"]) == (413, 413)


def test_an_unknown_path_is_a_problem() -> None:
    answer = asked("GET", "/nothing")
    assert (answer.status, "/openapi.json" in answer.json()["detail"]) == (404, True)


def test_a_wrong_method_is_a_problem_that_names_the_right_one() -> None:
    answer = asked("GET", "/purge")
    assert (answer.status, answer.headers["Allow"], answer.json()["title"]) == (
        405,
        "POST",
        "Method Not Allowed",
    )


def test_a_unix_socket_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"

    async def go() -> tuple[int, int]:
        async with room(f"unix:{path}") as opened:
            answer = await opened.ask("GET", "/stats")
            return path.stat().st_mode & 0o777, answer.status

    assert asyncio.run(go()) == (0o600, 200)
    assert not path.exists()


def test_an_api_that_cannot_open_names_its_address() -> None:
    async def go() -> None:
        async with room() as opened:
            taken = parse_address(opened.url.removeprefix("http://"))
            with pytest.raises(AdminError, match=r"cannot listen on 127\.0\.0\.1"):
                await AdminServer.open(taken, opened.stub, TOKEN)

    asyncio.run(go())


# State.


def test_not_ready_is_a_problem_that_says_why() -> None:
    async def test(opened: Room) -> None:
        opened.stub.reason = "draining"
        answer = await opened.ask("GET", "/ready")
        assert (answer.status, answer.json()["detail"]) == (503, "draining")

    in_room(test)


def test_who_is_ready_says_what_is_wrong_nevertheless() -> None:
    async def test(opened: Room) -> None:
        assert (await opened.ask("GET", "/ready")).json() == {"status": "ready"}
        opened.stub.impaired = "the disk is full"
        answer = await opened.ask("GET", "/ready")
        assert (answer.status, answer.json()["impaired"]) == (200, "the disk is full")

    in_room(test)


def test_no_answer_may_be_stored() -> None:
    assert asked("GET", "/ready").headers["Cache-Control"] == "no-store"


def test_metrics_are_in_the_exposition_format() -> None:
    answer = asked("GET", "/metrics")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"headrace_up", "headrace_requests", "headrace_store_objects"} <= names


def test_stats_hold_the_stores_own() -> None:
    assert asked("GET", "/stats").json()["store"]["objects"] == len(OBJECTS)


def test_drain_and_undrain_reach_the_server() -> None:
    async def test(opened: Room) -> None:
        await opened.ask("POST", "/drain")
        await opened.ask("POST", "/undrain")
        assert opened.stub.done == ["drain", "undrain"]

    in_room(test)


def test_a_reload_tells_its_version() -> None:
    assert asked("POST", "/reload").json() == {"status": "reloaded", "version": 2}


def test_a_reload_that_fails_is_a_problem() -> None:
    async def test(opened: Room) -> None:
        opened.stub.trouble = HeadraceError("worker 1 refused the config")
        answer = await opened.ask("POST", "/reload")
        assert (answer.status, answer.json()["detail"]) == (422, "worker 1 refused the config")

    in_room(test)


# Purge.


def test_a_url_is_purged_in_every_service_that_takes_its_host() -> None:
    assert purges_of({"url": "http://video.example/a"}) == [
        ("url", b"exact\nvideo.example/a", False, "exact"),
        ("url", b"wild\nvideo.example/a", False, "wild"),
    ]


def test_a_service_narrows_a_purge() -> None:
    assert purges_of({"url": "http://video.example/a", "service": "wild", "soft": True}) == [
        ("url", b"wild\nvideo.example/a", True, "wild")
    ]


def test_a_prefix_is_purged_in_every_service_that_takes_its_host() -> None:
    assert purges_of({"prefix": "http://x.example/live/"}) == [
        ("prefix", b"wild\nx.example/live/", False, "wild")
    ]


def test_a_tag_is_purged_in_all_services() -> None:
    assert purges_of({"tag": "news"}) == [("tag", b"news", False, None)]


def test_all_of_a_service_is_a_prefix() -> None:
    assert purges_of({"all": True, "service": "wild"}) == [("prefix", b"wild\n", False, "wild")]


def test_all_is_all() -> None:
    assert purges_of({"all": True}) == [("all", b"", False, None)]


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://nobody.test/a"},
        {"url": "/a"},
        {"url": "ftp://video.example/a"},
        {"url": "http://[broken/"},
        {"url": "http://video.example/a", "service": "absent"},
        {"tag": "news", "service": "absent"},
        {"all": True, "service": "absent"},
        {},
    ],
)
def test_a_purge_that_means_nothing_is_refused_and_does_nothing(body: dict[str, Any]) -> None:
    async def test(opened: Room) -> None:
        answer = await opened.ask("POST", "/purge", json=body)
        assert answer.status == 422
        assert opened.store.made == []

    in_room(test)


def test_a_purge_answers_with_its_generation() -> None:
    answer = asked("POST", "/purge", json={"url": "http://video.example/a"})
    assert answer.json() == {
        "generation": 2,
        "rules": 2,
        "services": ["exact", "wild"],
        "soft": False,
    }


# Objects.


def test_objects_are_listed_page_by_page_over_all_services() -> None:
    async def test(opened: Room) -> None:
        found: list[str] = []
        query = {"prefix": "http://video.example/", "limit": "2"}
        for _page in range(20):
            page = (await opened.ask("GET", "/objects", params=query)).json()
            assert len(page["objects"]) <= 2
            found += [one["url"] for one in page["objects"]]
            if page["cursor"] is None:
                break
            query["cursor"] = page["cursor"]
        assert sorted(found) == sorted(key.partition(b"\n")[2].decode() for key in OBJECTS)

    in_room(test)


def test_all_objects_are_listed_without_a_prefix() -> None:
    assert len(asked("GET", "/objects").json()["objects"]) == len(OBJECTS)


@pytest.mark.parametrize("cursor", ["x", "9.1", "-1.2", ".", "0.x"])
def test_a_cursor_from_elsewhere_is_refused(cursor: str) -> None:
    assert asked("GET", "/objects", params={"cursor": cursor}).status == 422


def test_an_object_is_inspected_in_every_service() -> None:
    answer = asked("GET", "/objects/inspect", params={"url": "http://video.example/b"})
    assert [variant["service"] for variant in answer.json()["variants"]] == ["exact", "wild"]


def test_an_object_that_is_not_stored_is_not_found() -> None:
    answer = asked("GET", "/objects/inspect", params={"url": "http://video.example/z"})
    assert answer.status == 404
