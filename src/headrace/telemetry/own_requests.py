"""What Headrace's own requests of servers call themselves: logs can be read without them."""

from __future__ import annotations

PROBE_AGENT = "headrace-probe"
"""An observer's probe of a server."""

CHECK_AGENT = "headrace-check"
"""A server's check of its own VIPs."""
