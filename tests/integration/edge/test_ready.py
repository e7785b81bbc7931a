"""Small responses that are sent as they stand in the index, with the head that was made when they
were stored: they are what any other hit is, whatever has happened since.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Recorded, Reply, cacheable, headers
from tests.integration.edge.counting import WITHOUT_MEMORY

# Next to no memory, and so no entry: each hit is looked up, and comes for the first time lately.
EDGE: dict[str, object] = {
    "workers": 1,
    "store": {"size": "1GiB", "memory": WITHOUT_MEMORY["memory"]},
    "access_log": {"path": ""},
}


@pytest.fixture(scope="module")
def edge(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    directory: Path = tmp_path_factory.mktemp("ready")
    document = {**EDGE, "access_log": {"path": directory / "access.log"}}
    with running_edge(origin.url, directory, document) as running:
        yield running


@pytest.fixture(autouse=True)
def crowded(edge: Edge, origin: Origin) -> None:
    """Fill what memory there is with others."""
    for number in range(4):
        origin.serve(f"/crowd/{number}", cacheable(b"crowd"))
        for _ in range(2):
            edge.get(f"/crowd/{number}")


def test_a_hit_has_the_fields_and_says_its_age_and_way(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, cacheable(b"body", etag='"a"', via="1.1 before", x_odd="50% of: it"))
    edge.get(path)
    for _ in range(2):
        found = edge.get(path)
        assert (found.status, found.hit, found.body) == (200, True, b"body")
        assert found.header("etag") == '"a"'
        assert found.header("x-odd") == "50% of: it"
        assert (found.header("via") or "").startswith("1.1 before, 1.1 ")
        assert found.header("age") in ("0", "1")
        assert found.header("content-length") == "4"
        assert "; hit; ttl=" in (found.header("cache-status") or "")


def test_what_a_304_renews_is_in_the_next_head(edge: Edge, origin: Origin, path: str) -> None:
    def answer(asked: Recorded) -> Reply:
        if asked.header("if-none-match"):
            fields = headers(cache_control="max-age=600", etag='"a"', x_renewed="yes")
            return Reply(status=304, headers=fields)
        return cacheable(b"body", 0, etag='"a"', x_renewed="no")

    origin.serve(path, answer)
    assert edge.get(path).header("x-renewed") == "no"
    assert edge.get(path).header("x-renewed") == "yes"  # validated
    for _ in range(2):
        found = edge.get(path)
        assert (found.hit, found.header("x-renewed"), found.body) == (True, "yes", b"body")
    assert origin.count(path) == 2


def test_conditions_ranges_and_head_are_heeded(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"0123456789", etag='"a"'))
    edge.get(path)
    assert edge.get(path, ("If-None-Match", '"a"')).status == 304
    assert edge.get(path, ("If-None-Match", '"b"')).status == 200
    found = edge.get(path, ("Range", "bytes=2-3"))
    assert (found.status, found.body) == (206, b"23")
    found = edge.exchange("HEAD", path)
    assert (found.status, found.hit, found.body) == (200, True, b"")
    assert found.header("content-length") == "10"
    assert origin.count(path) == 1


def test_the_connection_ends_where_it_is_to(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"body"))
    edge.get(path)
    found = edge.get(path, ("Connection", "close"))
    assert (found.hit, found.header("connection"), found.body) == (True, "close", b"body")


def test_what_was_purged_is_fetched_again(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, [cacheable(b"old"), cacheable(b"new")])
    origin.serve(f"{path}/kept", cacheable(b"kept"))
    for target in (path, f"{path}/kept"):
        edge.get(target)
        assert edge.get(target).hit
    edge.purge(url=edge.url(path))
    assert edge.get(path).body == b"new"
    assert edge.get(f"{path}/kept").hit  # of before the purge, which has nothing to do with it
    assert origin.count(f"{path}/kept") == 1


def test_what_came_to_vary_is_told_apart(edge: Edge, origin: Origin, path: str) -> None:
    def answer(asked: Recorded) -> Reply:
        if origin.count(path) <= 1:
            return cacheable(b"all", 1)
        language = (asked.header("accept-language") or "").encode()
        return cacheable(language, vary="Accept-Language")

    origin.serve(path, answer)
    edge.get(path)
    eventually(lambda: not edge.get(path).hit, "it is stale")
    for _ in range(2):
        for language in ("de", "en"):
            assert edge.get(path, ("Accept-Language", language)).body == language.encode()
    for language in ("en", "de"):
        found = edge.get(path, ("Accept-Language", language))
        assert (found.hit, found.body) == (True, language.encode())
        assert found.header("vary") == "Accept-Language"
    assert origin.count(path) == 4  # for all, for none, and for each language


def test_a_hit_is_logged_as_any_other(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"body"))
    edge.get(path)
    edge.get(f"{path}?")
    document = tomllib.loads(edge.config_file.read_text())
    log = Path(document["access_log"]["path"])

    def lines() -> list[dict[str, Any]]:
        text = log.read_text() if log.exists() else ""
        whole = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
        return [line for line in whole if line["path"] == path]

    eventually(lambda: len(lines()) >= 2, "both are logged")
    hit = max(lines(), key=lambda line: line["time"])
    assert (hit["cache"], hit["status"], hit["service"]) == ("hit", 200, lines()[0]["service"])
    assert hit["age_s"] >= 0


def test_a_reload_is_heeded(origin: Origin, tmp_path: Path, path: str) -> None:
    """What a service adds, and what its keys are, is not in what was stored."""
    origin.serve(path, cacheable(b"body"))
    with running_edge(origin.url, tmp_path, {**EDGE, "access_log": {}}) as own:
        own.get(path)
        assert own.get(path).header("cache-status") is not None
        document: dict[str, Any] = tomllib.loads(own.config_file.read_text())
        service = {**document["service"][0], "debug": True}
        own.write_config({**document, "service": [service], "node_id": "another"})
        own.reload()

        def is_renamed() -> bool:
            found = own.get(path)
            return found.hit and "another; hit" in (found.header("cache-status") or "")

        eventually(is_renamed, "the node's new name is in the head")
        assert "; key=" in (own.get(path).header("cache-status") or "")
        assert origin.count(path) == 1
