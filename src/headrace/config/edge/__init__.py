"""The configuration of an edge: its models, its checks, and its root."""

from headrace.config.edge.root import EDGE

__all__ = ["EDGE"]
