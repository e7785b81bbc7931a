"""What a node reports of its network, as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from headrace.telemetry.network import STATES_NOT_ONLINE, NetworkFacts


def network_families(facts: NetworkFacts | None) -> Iterator[Metric]:
    """Yield the metrics; a node without a network has none."""
    if facts is None:
        return
    info = GaugeMetricFamily(
        "headrace_network_info",
        "Always 1; the labels say which description of the network is in force, and from where.",
        labels=["version", "source"],
    )
    info.add_metric([facts.version, facts.source], 1)
    yield info
    yield GaugeMetricFamily(
        "headrace_network_loaded_timestamp_seconds",
        "Since when the description is in force, Unix time.",
        value=facts.since,
    )
    yield CounterMetricFamily(
        "headrace_network_refused", "Descriptions that were refused.", value=facts.refused
    )
    yield GaugeMetricFamily(
        "headrace_network_file_refused",
        "1 while the file is not what is in force, for it was refused.",
        value=int(facts.file_refused),
    )
    yield GaugeMetricFamily(
        "headrace_network_last_good_kept",
        "1 while the description in force is on disk for the next start.",
        value=int(facts.last_good_kept),
    )
    yield GaugeMetricFamily(
        "headrace_network_workers_behind",
        "Workers that do not work by the newest description and view yet.",
        value=facts.workers_behind,
    )
    yield from _view_families(facts)
    yield from _learnt_families(facts)


def _view_families(facts: NetworkFacts) -> Iterator[Metric]:
    view = facts.view
    if view is not None:
        yield GaugeMetricFamily(
            "headrace_network_view_age_seconds",
            "Time since the view in force was made.",
            value=view.age_s,
        )
        yield GaugeMetricFamily(
            "headrace_network_view_aged",
            "How far the view has gone toward the description: 0 not, 1 wholly.",
            value=view.aged,
        )
        states = GaugeMetricFamily(
            "headrace_network_view_servers",
            "Servers that the view has another state for than online.",
            labels=["state"],
        )
        counts = Counter(view.not_online.values())
        for state in STATES_NOT_ONLINE:
            states.add_metric([state], counts[state])
        yield states
    refused = CounterMetricFamily(
        "headrace_network_views_refused", "Views that were refused.", labels=["reason"]
    )
    for reason, count in sorted(facts.views_refused.items()):
        refused.add_metric([reason], count)
    yield refused


def _learnt_families(facts: NetworkFacts) -> Iterator[Metric]:
    learnt = facts.learnt
    if learnt is None:
        return
    prefixes = GaugeMetricFamily(
        "headrace_network_learnt_prefixes",
        "Prefixes that were learnt from an ISP, as they are kept.",
        labels=["coverage"],
    )
    for name, count in sorted(learnt.prefixes.items()):
        prefixes.add_metric([name], count)
    yield prefixes
    refused = CounterMetricFamily(
        "headrace_network_learnt_refused",
        "Documents and prefixes that servers learnt and that were refused.",
        labels=["reason"],
    )
    for reason, count in sorted(learnt.refused.items()):
        refused.add_metric([reason], count)
    yield refused
    yield GaugeMetricFamily(
        "headrace_network_learnt_problems",
        "Servers that are not heard, and files that cannot be written.",
        value=len(learnt.problems),
    )
