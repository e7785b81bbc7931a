"""The configuration of a router: `headrace router --config router.toml`."""

from headrace.config.router.root import ROUTER

__all__ = ["ROUTER"]
