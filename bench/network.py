"""The network that benches route in: as large as a broadcaster's, and the same each time."""

from __future__ import annotations

from collections.abc import Iterator

SITES, SERVERS_EACH, PREFIXES = 50, 8, 20_000


def subnets() -> list[str]:
    """Return the client networks that are covered, /24 each."""
    return [f"10.{number >> 8}.{number & 255}.0" for number in range(PREFIXES)]


def description(content: str) -> str:
    """Return network.toml. `content` is the table of its one class."""
    return "\n".join((*_parts(), content))


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
