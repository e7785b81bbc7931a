"""The description of a network: its models, its checks, and its root."""

from headrace.config.network.root import NETWORK

__all__ = ["NETWORK"]
