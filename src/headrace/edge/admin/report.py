"""What an edge adds to a node's metrics and report: its store's numbers and its purges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headrace.telemetry.facts import RoleFacts, RoleMetric
from headrace.telemetry.report import Report

STORE_GAUGES: Mapping[str, tuple[str, str]] = {
    "size_bytes": ("size_bytes", "Bytes that the store may take, by the config."),
    "bytes": ("bytes", "Bytes that the slices in the store are counted with now."),
    "objects": ("objects", "Stored responses now, variants apart."),
    "slices": ("slices", "Slices in the store now: files, and small bodies in the index."),
    "rules": ("purge_rules", "Purges in force that the sweep has not finished yet."),
    "refuses": ("refuses", "1 while the disk takes nothing new: responses pass through."),
    "refuses_s": ("refuses_seconds", "For how long it has taken nothing; 0 while it does."),
    "rebuilding": ("rebuilding", "1 while the index is being rebuilt from the files."),
}
"""What rises and falls: the store's own names to metric names and meanings."""

STORE_COUNTERS: Mapping[str, tuple[str, str]] = {
    "insertions": ("insertions", "Slices that entered the store."),
    "evictions": ("evictions", "Slices that left to make room."),
    "evicted_bytes": ("evicted_bytes", "Bytes of slices that left to make room."),
    "refused": ("refused", "Responses not stored: purged meanwhile, or too much in the way."),
    "purged": ("purged", "Stored responses that the sweep removed after a purge."),
    "corrupt": ("corrupt_files", "Slices found damaged and removed, rebuilds included."),
    "missing": ("missing_files", "Slice files that the index knew and the disk did not have."),
    "orphans": ("orphan_files", "Files that no index entry named, removed."),
    "io_errors": ("io_errors", "Reads and writes that the disk refused."),
    "index_full": ("index_full", "Responses not stored because the index had no room."),
}
"""What only grows, over restarts too: the store's own names to metric names and meanings."""


class EdgeReport(Report, kw_only=True):
    """Node, workers, counts and store. Durations in seconds, times in Unix seconds."""

    purge_generation: int
    store: dict[str, float]


def edge_facts(store: Mapping[str, float], generation: int) -> RoleFacts:
    """Return the store's numbers (by its own names) and the generation of purges, as shown."""
    return RoleFacts(
        metrics=tuple(_metrics(store, generation)),
        report={"purge_generation": generation, "store": dict(store)},
    )


def _metrics(store: Mapping[str, float], generation: int) -> Iterator[RoleMetric]:
    yield RoleMetric("purge_generation", "Grows with every purge on this server.", generation)
    for key, (name, text) in STORE_GAUGES.items():
        if key in store:
            yield RoleMetric(f"store_{name}", text, store[key])
    for key, (name, text) in STORE_COUNTERS.items():
        if key in store:
            yield RoleMetric(f"store_{name}", text, store[key], only_grows=True)
