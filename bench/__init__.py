"""Benchmarks of Headrace, some beside its peers. They print ratios and write reports."""
