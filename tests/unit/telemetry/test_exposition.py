"""The text a scrape gets, and the same as JSON."""

from __future__ import annotations

import dataclasses
import math

from prometheus_client.parser import text_string_to_metric_families

from headrace.edge.admin.report import STORE_COUNTERS, STORE_GAUGES, EdgeReport, edge_facts
from headrace.telemetry.exposition import exposition
from headrace.telemetry.facts import ServerFacts, WorkerFacts
from headrace.telemetry.metrics import MEANINGS, WorkerMetrics
from headrace.telemetry.network import LearntFacts, NetworkFacts, ViewFacts
from headrace.telemetry.report import report

NETWORK = NetworkFacts(
    version="0123456789abcdef",
    source="last_good",
    since=1000.0,
    server="oslo1",
    last_good_kept=True,
    refused=2,
    last_refusal="network.toml:1: error",
    last_refused_at=1001.0,
    workers_behind=1,
    view=ViewFacts(3, 990.0, 20.0, "socket", 991.0, 0.5, {"oslo1": "failed", "oslo2": "failed"}),
    views_refused={"older": 4},
    last_view_refusal="socket: older",
    learnt=LearntFacts({"at-a": 7}, {"not-within": 2}, {}, {"a1": "gone"}),
    file_refused=True,
)
FACTS = ServerFacts(
    version="1.2.3",
    python="3.11.0",
    started=1000.0,
    not_ready_because=None,
    draining=False,
    workers_wanted=2,
    worker_exits=3,
    reloads_succeeded=4,
    reloads_failed=5,
    listening=("http://127.0.0.1:80",),
    workers=(
        WorkerFacts(0, 100, ready=True, started=1001.0, cpu_s=1.5, resident_bytes=4096),
        WorkerFacts(1, 101, ready=False, started=1002.0),
    ),
    role=edge_facts(dict.fromkeys((*STORE_GAUGES, *STORE_COUNTERS), 7.0), 6),
    network=NETWORK,
    certificates={"/etc/cdn.pem": 2000.0},
    ticket_secret="3fa9c1d2",
)


def samples(metrics: WorkerMetrics, facts: ServerFacts = FACTS) -> dict[str, float]:
    """Every sample of the exposition: `name{label=value}` to its value."""
    found: dict[str, float] = {}
    text = exposition(metrics.snapshot(), facts).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}"
            assert name not in found
            found[name] = sample.value
    return found


def test_every_family_has_a_help_and_a_type() -> None:
    text = exposition(WorkerMetrics().snapshot(), FACTS).decode()
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type != "unknown" for family in families)


def test_every_metric_of_a_worker_is_in_the_exposition() -> None:
    metrics = WorkerMetrics()
    for name in MEANINGS:
        value = getattr(metrics, name)
        if isinstance(value, dict):
            value["x"] = 1
    names = {name.partition("{")[0] for name in samples(metrics)}
    for meaning in MEANINGS.values():
        family = f"headrace_{meaning.family}"
        assert names & {family, f"{family}_total", f"{family}_count"}, family


def test_requests_are_one_family_with_a_label_for_the_cache() -> None:
    metrics = WorkerMetrics()
    metrics.requests_hit = 5
    assert samples(metrics)["headrace_requests_total{cache=hit}"] == 5


def test_a_histograms_buckets_grow_up_to_its_count() -> None:
    metrics = WorkerMetrics()
    for seconds in (0.0001, 0.02, 0.02, 500.0):
        metrics.miss_first_byte.observe(seconds)
    found = samples(metrics)
    buckets = sorted(
        (math.inf if "+Inf" in name else float(name.rpartition("le=")[2][:-1]), value)
        for name, value in found.items()
        if name.startswith("headrace_first_byte_seconds_bucket{cache=miss")
    )
    counts = [value for _bound, value in buckets]
    assert counts == sorted(counts)
    assert counts[0] == 1
    assert counts[-1] == found["headrace_first_byte_seconds_count{cache=miss}"] == 4


def test_the_state_of_the_server_is_reported() -> None:
    found = samples(WorkerMetrics())
    assert found["headrace_build_info{python=3.11.0,version=1.2.3}"] == 1
    assert found["headrace_up{}"] == 1
    assert found["headrace_ready{}"] == 1
    assert found["headrace_workers_ready{}"] == 1
    assert found["headrace_worker_exits_total{}"] == 3
    assert found["headrace_reloads_total{result=failed}"] == 5


def test_a_server_that_wants_no_clients_is_not_ready() -> None:
    facts = dataclasses.replace(FACTS, not_ready_because="draining", draining=True)
    found = samples(WorkerMetrics(), facts)
    assert (found["headrace_ready{}"], found["headrace_draining{}"]) == (0, 1)


def test_a_worker_whose_use_is_unknown_has_no_sample() -> None:
    found = samples(WorkerMetrics())
    assert "headrace_worker_cpu_seconds_total{worker=0}" in found
    assert "headrace_worker_cpu_seconds_total{worker=1}" not in found


def test_what_the_store_does_not_tell_is_left_out() -> None:
    facts = dataclasses.replace(FACTS, role=edge_facts({"unknown": 1.0}, 6))
    assert not any(
        name.startswith("headrace_store_bytes") for name in samples(WorkerMetrics(), facts)
    )


def test_the_report_groups_counts_by_family() -> None:
    metrics = WorkerMetrics()
    metrics.requests_hit = 2
    metrics.timeouts["head"] = 3
    metrics.hit_total.observe(0.5)
    counts = report(metrics.snapshot(), FACTS, EdgeReport).counts
    requests, seconds = counts["requests"], counts["response_seconds"]
    assert isinstance(requests, dict)
    assert isinstance(seconds, dict)
    assert requests["hit"] == 2
    assert counts["timeouts"] == {"head": 3}
    assert seconds["hit"] == {"count": 1, "sum_s": 0.5}


def test_the_report_names_each_worker() -> None:
    found = report(WorkerMetrics().snapshot(), FACTS, EdgeReport).workers
    assert [(worker.number, worker.pid) for worker in found] == [(0, 100), (1, 101)]


def test_the_end_of_each_certificate_is_told() -> None:
    found = samples(WorkerMetrics())
    assert found["headrace_certificate_expires_timestamp_seconds{file=/etc/cdn.pem}"] == 2000.0
    assert found["headrace_ticket_secret_in_force{secret=3fa9c1d2}"] == 1.0


def test_the_network_in_force_is_reported() -> None:
    found = samples(WorkerMetrics())
    assert found["headrace_network_info{source=last_good,version=0123456789abcdef}"] == 1
    assert found["headrace_network_refused_total{}"] == 2
    assert found["headrace_network_file_refused{}"] == 1
    assert found["headrace_network_view_aged{}"] == 0.5
    assert found["headrace_network_view_servers{state=failed}"] == 2
    assert found["headrace_network_view_servers{state=full}"] == 0
    assert found["headrace_network_views_refused_total{reason=older}"] == 4
    assert found["headrace_network_learnt_prefixes{coverage=at-a}"] == 7
    assert found["headrace_network_learnt_refused_total{reason=not-within}"] == 2
    assert found["headrace_network_learnt_problems{}"] == 1
    assert report(WorkerMetrics().snapshot(), FACTS, EdgeReport).network is NETWORK


def test_a_node_without_a_network_has_none_of_its_metrics() -> None:
    found = samples(WorkerMetrics(), dataclasses.replace(FACTS, network=None))
    assert not any(name.startswith("headrace_network") for name in found)
