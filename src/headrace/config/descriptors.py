"""How many of a process's descriptors clients may take."""

from __future__ import annotations

LARGEST_RESERVE = 4096


def descriptors_for_clients(limit: int) -> int:
    """Return how many descriptors may be in use when another client is accepted, of `limit` in all.

    The last quarter (or LARGEST_RESERVE, if that is less) is for fills and files: a worker that
    let clients in until none was left could answer none of them.
    """
    if limit < 0:  # RLIM_INFINITY
        return 2**62
    return limit - min(limit // 4, LARGEST_RESERVE)
