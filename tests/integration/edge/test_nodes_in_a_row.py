"""Several edges between origin and client are told apart by their ids."""

from __future__ import annotations

from pathlib import Path

from tests.harness.edge import free_port, running_edge
from tests.harness.origin import Origin
from tests.harness.replies import cacheable


def test_two_edges_in_a_row_are_no_loop(origin: Origin, path: str, tmp_path: Path) -> None:
    origin.serve(path, cacheable(b"from afar"))
    with (
        running_edge(origin.url, tmp_path / "inner", {"node_id": "inner", "workers": 1}) as inner,
        running_edge(
            f"http://127.0.0.1:{inner.port}", tmp_path / "outer", {"node_id": "outer", "workers": 1}
        ) as outer,
    ):
        found = outer.get(path)
        assert (found.status, found.body) == (200, b"from afar")
        assert found.header("via") == "1.1 inner, 1.1 outer"
        assert str(found.header("cache-status")).startswith("outer; fwd=uri-miss")
    assert origin.asked(path)[-1].header("via") == "1.1 outer, 1.1 inner"


def test_a_request_that_comes_back_to_its_edge_ends_there(
    origin: Origin, path: str, tmp_path: Path
) -> None:
    port = free_port()
    ring = {"node_id": "outer", "workers": 1, "listen": [{"address": f"127.0.0.1:{port}"}]}
    with (
        running_edge(
            f"http://127.0.0.1:{port}", tmp_path / "inner", {"node_id": "inner", "workers": 1}
        ) as inner,
        running_edge(f"http://127.0.0.1:{inner.port}", tmp_path / "outer", ring) as outer,
    ):
        assert outer.get(path).status == 508
        assert inner.get(path).status == 508
