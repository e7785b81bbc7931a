"""The network that the bench routes in: as large as a broadcaster's, and the same each time."""

from __future__ import annotations

from collections.abc import Iterator

SITES, SERVERS_EACH, PREFIXES = 50, 8, 20_000
HOST = "vod.example"


def description() -> str:
    """Return network.toml."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    each = PREFIXES // SITES
    for site in range(SITES):
        first = site * each
        prefixes = ", ".join(
            f'"10.{number >> 8}.{number & 255}.0/24"' for number in range(first, first + each)
        )
        yield f'[[network]]\nname = "isp{site}"\nprefixes = [{prefixes}]'
        yield f'[[site]]\nname = "site{site}"\nnetwork = "isp{site}"'
    for site in range(SITES):
        for server in range(SERVERS_EACH):
            name = f"s{site}x{server}"
            yield (
                f'[[server]]\nname = "{name}"\nsite = "site{site}"\nhost = "{name}.cdn.example"\n'
                f'ipv4 = ["198.18.{site}.{server + 1}"]\ncapacity = "{10 + 15 * (server % 2)}Gbps"'
            )
    for site in range(SITES):
        second = (site + 1) % SITES
        yield (
            f'[[coverage]]\nname = "isp{site}"\nnetworks = ["isp{site}"]\n'
            f'sites = [{{ name = "site{site}" }}, {{ name = "site{second}", order = 2 }}]'
        )
    yield (
        '[[coverage]]\nname = "others"\ndefault = true\n'
        'sites = [{ name = "site0", weight = 2 }, { name = "site1", weight = 1 }]'
    )
    yield (
        f'[[class]]\nname = "vod"\nhosts = ["{HOST}"]\n'
        "shard_pattern = '/(?P<programme>[^/]+)/(?P<version>[^/]+)/'\n"
        'shard_key = "{programme}/{version}"'
    )
