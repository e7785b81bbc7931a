"""Purges by URL, prefix, tag and everything, hard and soft: in force on all workers at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.bodies import Body
from tests.harness.edge import TOKEN, Edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import Gate, Pause, Reply, cacheable, headers

EDGE: dict[str, object] = {"node_id": "purged"}
CLIENTS = 12  # on connections of their own, so that every worker answers some


def fill(edge: Edge, path: str) -> None:
    """Store the response, and have it in every worker's memory."""
    for _ in range(CLIENTS):
        assert edge.get(path).status == 200


def bodies(edge: Edge, path: str) -> set[bytes]:
    return {edge.get(path).body for _ in range(CLIENTS)}


WHAT: dict[str, Callable[[Edge, str], dict[str, object]]] = {
    "url": lambda edge, path: {"url": edge.url(path)},
    "prefix": lambda edge, path: {"prefix": edge.url(path[:-3])},
    "tag": lambda edge, path: {"tag": "film-1"},
    "cache tag": lambda edge, path: {"tag": "film-2"},
    "all": lambda edge, path: {"all": True},
}


def tagged(body: bytes) -> Reply:
    return cacheable(body, surrogate_key="film-1 other", cache_tag="film-2,other-2")


@pytest.mark.parametrize("what", WHAT)
def test_a_hard_purge_takes_effect_on_all_workers_before_it_returns(
    edge: Edge, origin: Origin, path: str, what: str
) -> None:
    origin.serve(path, [tagged(b"old"), tagged(b"new")])
    fill(edge, path)
    edge.purge(**WHAT[what](edge, path))
    assert bodies(edge, path) == {b"new"}
    assert origin.asked(path)[1].header("if-none-match") is None


@pytest.mark.parametrize("what", WHAT)
def test_a_soft_purge_makes_every_worker_validate(
    edge: Edge, origin: Origin, path: str, what: str
) -> None:
    origin.serve(path, tagged(b"same"))
    fill(edge, path)
    edge.purge(**WHAT[what](edge, path), soft=True)
    assert bodies(edge, path) == {b"same"}
    asked = origin.asked(path)
    assert len(asked) == 2
    assert asked[1].header("if-none-match") is not None


def test_a_soft_purge_serves_stale_while_it_revalidates_where_allowed(
    edge: Edge, origin: Origin, path: str
) -> None:
    control = headers(cache_control="max-age=60, stale-while-revalidate=1000")
    gate = Gate()
    renewal = Reply(headers=control, body=b"new", hold=gate)
    origin.serve(path, [Reply(headers=control, body=b"old"), renewal])
    fill(edge, path)
    edge.purge(url=edge.url(path), soft=True)
    assert edge.get(path).body == b"old"
    gate.open()
    eventually(lambda: edge.get(path).body == b"new", "the new response is served")


@pytest.mark.parametrize("what", ["url", "prefix", "tag"])
def test_a_purge_leaves_what_it_does_not_mean(
    edge: Edge, origin: Origin, path: str, what: str
) -> None:
    origin.serve(path, tagged(b"x"))
    kept = "/kept" + path
    origin.serve(kept, cacheable(b"x", surrogate_key="film-10"))
    fill(edge, path)
    fill(edge, kept)
    edge.purge(**WHAT[what](edge, path))
    assert edge.get(kept).hit


def test_a_purge_by_url_takes_any_spelling_of_it(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, cacheable(b"x"))
    fill(edge, path + "?a=1&b=2")
    edge.purge(url=edge.url(f"/./x/..{path}?b=2&a=1").replace("example", "EXAMPLE"))
    edge.get(path + "?a=1&b=2")
    assert origin.count(path) == 2


def test_a_fill_that_began_before_a_purge_does_not_bring_the_old_body_back(
    edge: Edge, origin: Origin, path: str
) -> None:
    gate = Gate()
    old, new = Body(1, 300_000), Body(2, 300_000)
    paused = Reply(headers=headers(cache_control="max-age=60"), body=old, pause=Pause(1000, gate))
    origin.serve(path, [paused, cacheable(new)])
    with edge.client() as client:
        client.ask(path)
        client.head()
        edge.purge(url=edge.url(path))
        gate.open()
        client.read(300_000)
    assert bodies(edge, path) == {new.read()}


def test_a_purge_of_many_slices_leaves_none(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, [cacheable(Body(1, 2_000_000)), cacheable(Body(2, 2_000_000))])
    edge.get(path)
    edge.purge(url=edge.url(path))
    assert edge.get(path, ("Range", "bytes=1500000-1500099")).body == Body(2, 2_000_000).read(
        1_500_000, 1_500_100
    )


def test_the_command_purges(edge: Edge, origin: Origin, path: str, tmp_path: Path) -> None:
    origin.serve(path, cacheable(b"x"))
    fill(edge, path)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    command = [str(Path(sys.executable).parent / "headrace"), "purge", edge.url(path)]
    admin = ["--admin", f"127.0.0.1:{edge.admin_port}", "--token-file", str(token)]
    subprocess.run([*command, *admin], check=True, capture_output=True, timeout=30)
    edge.get(path)
    assert origin.count(path) == 2


def test_a_purge_without_the_token_is_refused(edge: Edge) -> None:
    assert (
        edge.ask_admin("POST", "/purge", {"all": True}, token="wrong-token-altogether").status
        == 401
    )
