"""BIRD as an ISP's router: its configuration, and what it says of sessions and routes. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headrace.config.lab.model import IspTable, SiteTable
from headrace.lab.network.plan import Kind, LabPlan, Machine

BFD_INTERVAL_MS, BFD_MULTIPLIER = 100, 3


def bird_conf(plan: LabPlan, isp: IspTable) -> str:
    """Return the configuration of an ISP's router.

    It takes from a server the VIPs of the site alone, one address each, or as short a prefix as
    they are announced by; a community of the rank
    becomes local preference, and 65535:0 (RFC 8326) the lowest.
    """
    addresses = plan.isps[isp.name]
    sites = [site for site in plan.config.sites if site.isp == isp.name]
    parts = [
        f"router id {plan.machines[isp.name].ipv4};\n"
        "log stderr { warning, error, fatal, bug };\n",
        "protocol device { scan time 2; }\n",
        "# What clients are told of this ISP: servers may learn from it whom they serve.\n"
        + "".join(
            f"protocol static clients{version} {{\n    ipv{version};\n"
            f"    route {prefix} blackhole;\n}}\n"
            for version, prefix in ((4, addresses.clients_v4), (6, addresses.clients_v6))
        ),
        "".join(
            f"protocol kernel kernel{version} {{\n    ipv{version} {{\n"
            "        import none;\n        export where source = RTS_BGP;\n    };\n}\n"
            for version in (4, 6)
        ),
    ]
    if any(site.bfd for site in sites):
        parts.append(
            'protocol bfd {\n    interface "*" {\n'
            f"        interval {BFD_INTERVAL_MS} ms;\n        multiplier {BFD_MULTIPLIER};\n"
            "    };\n}\n"
        )
    for site in sites:
        parts += [_filter(plan, site, version) for version in (4, 6)]
    for machine in plan.of(Kind.SERVER):
        if machine.isp == isp.name:
            site = plan.site(machine.site)
            parts += [_session(isp, site, machine, version) for version in (4, 6)]
    return "\n".join(parts)


def _filter(plan: LabPlan, site: SiteTable, version: int) -> str:
    """Return what is taken from the servers of a site."""
    addresses = plan.isps[site.isp]
    vips = addresses.vips_v4 if version == 4 else addresses.vips_v6
    length = site.announce.ipv4_length if version == 4 else site.announce.ipv6_length
    shortest = length
    if site.announce.preference == "specific":
        shortest -= site.announce.neighbours + 1
    ranks = site.announce.communities if site.announce.preference == "community" else []
    lines = [
        f"filter {_symbol(site.name)}_vips{version} {{",
        f"    if net !~ [ {vips}{{{shortest},{length}}} ] then reject;",
    ]
    for rank, community in enumerate(ranks):
        parts = community.split(":")
        kind = "bgp_community" if len(parts) == 2 else "bgp_large_community"
        preference = 200 - 10 * rank
        lines.append(f"    if ({', '.join(parts)}) ~ {kind} then bgp_local_pref = {preference};")
    lines += ["    if (65535, 0) ~ bgp_community then bgp_local_pref = 0;", "    accept;", "}"]
    return "\n".join(lines) + "\n"


def _session(isp: IspTable, site: SiteTable, machine: Machine, version: int) -> str:
    assert machine.peer is not None  # a server has a line to its ISP's router
    own, server = (
        (machine.peer.ipv4, machine.ipv4) if version == 4 else (machine.peer.ipv6, machine.ipv6)
    )
    bfd = "    bfd on;\n" if site.bfd else ""
    return (
        f"protocol bgp {session_name(machine, version)} {{\n"
        f"    local {own} as {isp.as_number};\n    neighbor {server} as {site.as_number};\n"
        f"    direct;\n{bfd}"
        f"    hold time {site.hold_time_s:g};\n    keepalive time 1;\n"
        "    # A server that comes back is not kept waiting for a minute.\n"
        "    error wait time 1, 5;\n    connect retry time 2;\n    connect delay time 1;\n"
        f"    ipv{version} {{\n        import filter {_symbol(site.name)}_vips{version};\n"
        f"        import limit 100 action block;\n"
        f'        export where proto = "clients{version}";\n    }};\n}}\n'
    )


def session_name(machine: Machine, version: int) -> str:
    """Return what BIRD calls a session with a server."""
    return f"{_symbol(machine.name)}_{version}"


def _symbol(name: str) -> str:
    return name.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Best:
    """The best route to a prefix: the session that it came by, and how many other routes wait."""

    prefix: str
    session: str
    others: int


def read_sessions(text: str) -> dict[str, str]:
    """Return the state of each BGP session by its name, from `show protocols`."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 4 and words[1] == "BGP":
            found[words[0]] = words[5] if len(words) > 5 else words[3]
    return found


def read_routes(text: str) -> list[Best]:
    """Return the best route to each prefix, from `show route` of routes learnt by BGP."""
    return list(_routes(text))


def _routes(text: str) -> Iterator[Best]:
    prefix, session, others = "", "", 0
    for line in [*text.splitlines(), "end"]:
        words = line.split()
        named = not line[:1].isspace()
        if not words or line.startswith(("\t", "Table", "BIRD")):
            continue
        if named and prefix:
            yield Best(prefix, session, others)
            prefix = ""
        if len(words) < 3:
            continue
        if named:
            prefix, session, others = words[0], "", -1
            words = words[1:]
        name = next((word[1:] for word in words if word.startswith("[")), "")
        others += 1
        if "*" in words or not session:
            session = name
