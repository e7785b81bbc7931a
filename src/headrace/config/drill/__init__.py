"""The scenario of a drill, as a root."""

from headrace.config.drill.root import DRILL

__all__ = ["DRILL"]
