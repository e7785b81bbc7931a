"""Rates from two looks at the counts, for `headrace top`. Pure."""

from __future__ import annotations

from typing import Any

from headrace.telemetry.metrics import Snapshot

HITS = ("requests_hit", "requests_stale_hit")


def between(before: Snapshot, after: Snapshot, seconds: float) -> dict[str, Any]:
    """What happened in `seconds`: rates, the hit ratio, and each origin's waits, slowest first.

    Without a span of time (the first look) all rates are 0.
    """
    span = max(seconds, 0.001)

    def grown(name: str) -> int:
        return max(0, after.counters.get(name, 0) - before.counters.get(name, 0))

    def labels(name: str) -> dict[str, int]:
        old = before.labelled.get(name, {})
        return {
            label: count - old.get(label, 0)
            for label, count in after.labelled.get(name, {}).items()
            if count > old.get(label, 0)
        }

    words = [name for name in after.counters if name.startswith("requests_")]
    by_word = {name.removeprefix("requests_"): grown(name) for name in words}
    requests = sum(by_word.values())
    hits = sum(grown(name) for name in HITS)
    return {
        "seconds": round(seconds, 3),
        "requests_per_s": round(requests / span, 2),
        "hit_ratio": round(hits / requests, 4) if requests else None,
        "sent_bytes_per_s": round(grown("bytes_sent") / span),
        "origin_bytes_per_s": round(grown("bytes_from_origin") / span),
        "connections": after.gauges.get("connections_open", 0),
        "fills": after.gauges.get("fills_active", 0),
        "cache_per_s": _rates(by_word, span),
        "status_per_s": _rates(labels("responses"), span),
        "not_stored_per_s": _rates(labels("not_stored"), span),
        "origins": origins(
            labels("origin_requests"), labels("origin_failures"), labels("origin_wait"), span
        ),
    }


def origins(
    requests: dict[str, int], failures: dict[str, int], waits_us: dict[str, int], span: float
) -> list[dict[str, Any]]:
    """Origins by their mean wait for a response head, the slowest first."""
    rows = [
        {
            "origin": name,
            "requests_per_s": round(count / span, 2),
            "failures_per_s": round(failures.get(name, 0) / span, 2),
            "wait_s": round(waits_us.get(name, 0) / 1e6 / count, 6),
        }
        for name, count in requests.items()
    ]
    return sorted(rows, key=lambda row: (-float(str(row["wait_s"])), str(row["origin"])))


def _rates(counts: dict[str, int], span: float) -> dict[str, float]:
    ordered = sorted(counts.items(), key=lambda entry: -entry[1])
    return {name: round(count / span, 2) for name, count in ordered if count}
