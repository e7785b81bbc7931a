"""Find ports to listen on."""

from __future__ import annotations

import socket


def is_free(host: str, port: int) -> bool:
    """Return whether this address can be listened on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(host: str, wanted: int) -> int:
    """Return `wanted` if it is free, else any that is; 0 asks for any. Raises OSError for a bad
    host.
    """
    if wanted and is_free(host, wanted):
        return wanted
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        chosen: int = probe.getsockname()[1]
    return chosen
