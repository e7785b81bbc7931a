"""The network that is routed in, and the static zone that has as many records."""

from __future__ import annotations

from collections.abc import Iterator

SITES, SERVERS_EACH, PREFIXES = 50, 8, 20_000
ZONE = "vod.example"
NAMES = 1_000


def names() -> list[str]:
    """Return the names that are asked for."""
    return [f"c{number}.{ZONE}" for number in range(NAMES)]


def subnets() -> list[str]:
    """Return the client networks that are covered."""
    return [f"10.{number >> 8}.{number & 255}.0" for number in range(PREFIXES)]


def zone_file() -> str:
    """Return a static zone: two addresses for each name, as the router's answers have."""
    head = f"$ORIGIN {ZONE}.\n$TTL 30\n@ SOA ns1 hostmaster 1 7200 900 1209600 30\n@ NS ns1\n"
    records = (
        f"c{number} A 198.18.{number % 50}.{last}\n" for number in range(NAMES) for last in (1, 2)
    )
    return head + "ns1 A 192.0.2.53\n" + "".join(records)


def description() -> str:
    """Return network.toml."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    each = PREFIXES // SITES
    nets = subnets()
    for site in range(SITES):
        prefixes = ", ".join(f'"{net}/24"' for net in nets[site * each : (site + 1) * each])
        yield f'[[network]]\nname = "isp{site}"\nprefixes = [{prefixes}]'
        yield f'[[site]]\nname = "site{site}"\nnetwork = "isp{site}"'
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
    yield f'[[class]]\nname = "vod"\nhosts = ["*.{ZONE}"]'
