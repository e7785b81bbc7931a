"""What is asked for: names in one zone, routed by the router and static elsewhere."""

from __future__ import annotations

ZONE = "vod.example"
NAMES = 1_000
CONTENT = f'[[class]]\nname = "vod"\nhosts = ["*.{ZONE}"]'
"""The class of all names, for network.toml."""


def names() -> list[str]:
    """Return the names that are asked for."""
    return [f"c{number}.{ZONE}" for number in range(NAMES)]


def zone_file() -> str:
    """Return a static zone: two addresses for each name, as the router's answers have."""
    head = f"$ORIGIN {ZONE}.\n$TTL 30\n@ SOA ns1 hostmaster 1 7200 900 1209600 30\n@ NS ns1\n"
    records = (
        f"c{number} A 198.18.{number % 50}.{last}\n" for number in range(NAMES) for last in (1, 2)
    )
    return head + "ns1 A 192.0.2.53\n" + "".join(records)
