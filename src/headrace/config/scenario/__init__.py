"""The configuration of a simulation: what is asked for, by whom, and what happens meanwhile."""

from headrace.config.scenario.root import SCENARIO

__all__ = ["SCENARIO"]
