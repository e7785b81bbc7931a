"""Rates from two readings of the counts, for `headrace top`. Pure."""

from __future__ import annotations

import msgspec

from headrace.telemetry.metrics import Snapshot

HITS = ("requests_hit", "requests_stale_hit")


class OriginRates(msgspec.Struct):
    """One origin's requests, and its mean wait for a response head."""

    origin: str
    requests_per_s: float
    failures_per_s: float
    wait_s: float


class Rates(msgspec.Struct):
    """What happened in `seconds`: rates, the hit ratio, and the origins, slowest first. A router's
    `sent_per_s` are redirects and DNS answers by server, `dns_per_s` the latter by code.
    """

    seconds: float
    requests_per_s: float
    hit_ratio: float | None
    sent_bytes_per_s: int
    origin_bytes_per_s: int
    connections: int
    fills: int
    cache_per_s: dict[str, float]
    status_per_s: dict[str, float]
    not_stored_per_s: dict[str, float]
    origins: list[OriginRates]
    sent_per_s: dict[str, float] = {}
    dns_per_s: dict[str, float] = {}


def between(before: Snapshot, after: Snapshot, seconds: float) -> Rates:
    """Return what happened in `seconds`.

    Without a span of time (the first reading) all rates are 0.
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
    answered = labels("responses")
    requests = sum(by_word.values())
    hits = sum(grown(name) for name in HITS)
    return Rates(
        seconds=round(seconds, 3),
        requests_per_s=round((requests or sum(answered.values())) / span, 2),
        hit_ratio=round(hits / requests, 4) if requests else None,
        sent_bytes_per_s=round(grown("bytes_sent") / span),
        origin_bytes_per_s=round(grown("bytes_from_origin") / span),
        connections=after.gauges.get("connections_open", 0),
        fills=after.gauges.get("fills_active", 0),
        cache_per_s=_rates(by_word, span),
        status_per_s=_rates(answered, span),
        not_stored_per_s=_rates(labels("not_stored"), span),
        origins=origins(
            labels("origin_requests"), labels("origin_failures"), labels("origin_wait"), span
        ),
        sent_per_s=_rates(labels("routed_servers"), span),
        dns_per_s=_rates(labels("dns_answers"), span),
    )


def origins(
    requests: dict[str, int], failures: dict[str, int], waits_us: dict[str, int], span: float
) -> list[OriginRates]:
    """Return the origins by their mean wait for a response head, the slowest first."""
    rows = [
        OriginRates(
            origin=name,
            requests_per_s=round(count / span, 2),
            failures_per_s=round(failures.get(name, 0) / span, 2),
            wait_s=round(waits_us.get(name, 0) / 1e6 / count, 6),
        )
        for name, count in requests.items()
    ]
    return sorted(rows, key=lambda row: (-row.wait_s, row.origin))


def _rates(counts: dict[str, int], span: float) -> dict[str, float]:
    ordered = sorted(counts.items(), key=lambda entry: -entry[1])
    return {name: round(count / span, 2) for name, count in ordered if count}
