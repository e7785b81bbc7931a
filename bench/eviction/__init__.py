"""Eviction policies compared on synthetic traces: `python -m bench.eviction [--quick]`."""
