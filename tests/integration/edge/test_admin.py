"""The admin API over real workers: state, counts, objects."""

from __future__ import annotations

import contextlib
import http.client
from urllib.parse import quote

import pytest

from tests.harness.admin_operations import misfits
from tests.harness.bodies import Body
from tests.harness.edge import TOKEN, Edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable, headers

BODY = Body(95, 600_000)


@pytest.mark.parametrize("path", ["/live", "/ready"])
def test_probes_need_no_token(edge: Edge, path: str) -> None:
    assert edge.ask_admin("GET", path, token=None).status == 200


@pytest.mark.parametrize("path", ["/stats", "/metrics", "/objects", "/objects/inspect?url=x"])
def test_everything_else_needs_the_token(edge: Edge, path: str) -> None:
    assert edge.ask_admin("GET", path, token=None).status == 401


def test_hits_and_misses_are_counted_over_all_workers(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(BODY))
    before = edge.metric("headrace_requests_total")
    hits = edge.metric("headrace_requests_total", cache="hit")
    for _ in range(13):
        edge.get(path)
    assert edge.metric("headrace_requests_total") == before + 13
    assert edge.metric("headrace_requests_total", cache="hit") == hits + 12


def test_sent_bytes_are_counted(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    before = edge.metric("headrace_sent_bytes_total")
    edge.get(path)
    assert edge.metric("headrace_sent_bytes_total") >= before + 600_000


def test_stored_objects_are_listed_by_prefix(edge: Edge, origin: Origin, path: str) -> None:
    for number in range(3):
        origin.serve(f"{path}/{number}", cacheable(BODY))
        edge.get(f"{path}/{number}")
    answer = edge.ask_admin("GET", f"/objects?prefix={quote(edge.url(path), safe='')}")
    assert (answer.status, len(answer.json["objects"])) == (200, 3)


def test_a_stored_object_is_inspected(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    url = quote(edge.url(path), safe="")
    answer = edge.ask_admin("GET", f"/objects/inspect?url={url}")
    assert (answer.status, len(answer.json["variants"])) == (200, 1)


def test_what_is_not_stored_is_404(edge: Edge, path: str) -> None:
    url = quote(edge.url(path), safe="")
    assert edge.ask_admin("GET", f"/objects/inspect?url={url}").status == 404


def test_the_store_is_counted(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(BODY))
    edge.get(path)
    assert edge.metric("headrace_store_objects") >= 1
    assert edge.metric("headrace_store_bytes") >= 600_000


def test_every_answer_is_as_the_served_description_says(
    edge: Edge, origin: Origin, path: str
) -> None:
    """All of one worker's and the store's values at once: what no stand-in has."""
    document = edge.ask_admin("GET", "/openapi.json").json
    origin.serve(path, cacheable(BODY))
    origin.serve(f"{path}/not", Reply(body=BODY, headers=headers(cache_control="no-store")))
    edge.ask_admin("GET", "/top")
    for _number in range(10):
        edge.get(path)
        edge.get(f"{path}/not")
    edge.purge(tag="absent", service="default")
    targets = [one for one, methods in document["paths"].items() if "get" in methods]
    targets.remove("/log")  # it has no end
    targets.append(f"/objects/inspect?url={quote(edge.url(path), safe='')}")
    targets.append(f"/reasons?url={quote(edge.url(f'{path}/not'), safe='')}")
    for target in targets:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", edge.admin_port)) as admin:
            admin.request("GET", target, headers={"Authorization": f"Bearer {TOKEN}"})
            found = admin.getresponse()
            kind, body = found.getheader("Content-Type", ""), found.read().decode()
            assert misfits(document, "GET", target, found.status, kind, body) == []
