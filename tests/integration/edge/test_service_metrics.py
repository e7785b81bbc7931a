"""Metrics tell services apart."""

from __future__ import annotations

from pathlib import Path

from tests.harness.edge import running_edge
from tests.harness.origin import Origin
from tests.harness.replies import Reply, cacheable, headers


def test_each_service_has_its_counts_and_the_rest_are_together(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    more = [
        {"name": f"s{number}", "hosts": [f"s{number}.test"], "origins": [origin.url]}
        for number in range(3)
    ]
    dead = {"name": "dead", "hosts": ["dead.test"], "origins": ["http://127.0.0.1:9"]}
    changed: dict[str, object] = {
        "workers": 1,
        "metrics": {"services_max": 3},
        "more_services": [dead, *more],
    }
    origin.serve(path, cacheable(b"x" * 1000))
    origin.serve(path + "/no", Reply(headers=headers(cache_control="no-store"), body=b"x"))
    with running_edge(origin.url, tmp_path, changed) as edge:
        for host in ("s0.test", "s0.test", "s1.test", "s2.test", "dead.test"):
            edge.get(path, ("Host", host))
        edge.get(path + "/no", ("Host", "s0.test"))
        edge.reload()
        edge.get(path, ("Host", "s0.test"))

        def counted(what: str, service: str) -> float:
            return edge.metric(f"headrace_service_{what}_total", service=service)

        assert (counted("requests", "s0"), counted("hits", "s0")) == (4, 2)
        assert counted("sent_bytes", "s0") > 3000
        assert counted("requests", "s1") == 0
        assert counted("requests", "other") == 2
        assert (counted("errors", "dead"), counted("errors", "s0")) == (1, 0)
        assert counted("origin_failures", "dead") >= 1
