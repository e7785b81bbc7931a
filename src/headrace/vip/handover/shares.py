"""What one sender may have passed on, of all that may be. Pure.

Nothing is kept by sender. Senders are dealt out to some limits, by a number made of the address and
of a secret; so a flood from one address uses up one limit, and what other addresses send does not
notice. A flood from addresses that are made up fills them all: then only the whole is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

SHARES = 64
PART = 8
"""One sender may use an eighth of the whole."""

_SENDER = {4: "ip saddr", 6: "ip6 saddr & ffff:ffff:ffff:ffff::"}


def share_limits(most_packets: int) -> Iterator[str]:
    """Yield the limits."""
    rate = max(most_packets // PART, 5)
    burst = max(rate // 10, 5)
    for number in range(SHARES):
        yield f" limit share_{number} {{ rate over {rate}/second burst {burst} packets; }}"


def too_much(version: int, seed: int) -> str:
    """Return what matches a packet whose sender has used up its share."""
    limits = ", ".join(f'{number} : "share_{number}"' for number in range(SHARES))
    sender = f"jhash {_SENDER[version]} mod {SHARES} seed {seed:#x}"
    return f"limit name {sender} map {{ {limits} }}"
