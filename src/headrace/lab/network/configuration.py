"""The configuration of each program of a lab, and the description of its network. Pure.

Written as an operator would write them: each is a whole file that the program could be started with
elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headrace.config.lab.model import SiteTable
from headrace.config.units import format_bit_rate
from headrace.lab import tables
from headrace.lab.assets import probe_sha256
from headrace.lab.network.plan import Kind, LabPlan, Machine

DESCRIPTION = "network.toml"
HOST = "video.cdn.test"
ZONE = "cdn.test"
ORIGIN_PORT = 8000
HTTP_PORT, HTTPS_PORT = 80, 443
EDGE_ADMIN, ROUTER_ADMIN, FEEDBACK_ADMIN, VIP_ADMIN = 9090, 9091, 9092, 9093
OBSERVER_PORT, VIP_PORT = 8091, 8093


def files(plan: LabPlan) -> Iterator[tuple[str, str]]:
    """Yield every generated configuration but BIRD's: its path in the lab's directory, its text."""
    yield DESCRIPTION, network_toml(plan)
    for machine in plan.of(Kind.SERVER, Kind.MID):
        yield f"{machine.name}/edge.toml", edge_toml(plan, machine)
    for machine in plan.of(Kind.SERVER):
        yield f"{machine.name}/vip.toml", vip_toml(plan, machine)
    for machine in plan.of(Kind.ROUTER):
        yield f"{machine.name}/router.toml", router_toml(plan, machine)
    for machine in plan.of(Kind.OBSERVER):
        yield f"{machine.name}/feedback.toml", feedback_toml(plan, machine)
    for machine in plan.of(Kind.CLIENT):
        resolvers = (f"nameserver {one.ipv4}\n" for one in plan.of(Kind.ROUTER))
        yield f"{machine.name}/resolv.conf", "".join(resolvers)


def network_toml(plan: LabPlan) -> str:
    """Return the description of the network."""
    parts = [f'name = "{plan.name}"\n']
    for isp in plan.config.isps:
        addresses = plan.isps[isp.name]
        parts.append(
            f'[[network]]\nname = "{isp.name}"\nas_numbers = [{isp.as_number}]\n'
            f'prefixes = ["{addresses.clients_v4}", "{addresses.clients_v6}"]\n'
        )
    parents = 'parents = ["mid"]\n' if plan.of(Kind.MID) else ""
    for site in plan.config.sites:
        parts.append(
            f'[[site]]\nname = "{site.name}"\nnetwork = "{site.isp}"\n{parents}\n'
            f"[site.announce]\n{_announce(site)}"
        )
    if parents:
        parts.append('[[site]]\nname = "mid"\nkind = "mid"\n')
    parts += [_server(plan, machine) for machine in plan.of(Kind.SERVER, Kind.MID)]
    for index, isp in enumerate(plan.config.isps):
        parts.append(_coverage(plan, isp.name, default=index == 0))
    parts += tables.classes()
    return "\n".join(parts)


def _announce(site: SiteTable) -> str:
    table = site.announce
    lines = [
        f"neighbours = {table.neighbours}",
        f'preference = "{table.preference}"',
        f"med = {table.med}",
        f"med_step = {table.med_step}",
        f"prepend = {table.prepend}",
        f"graceful_shutdown = {str(table.graceful_shutdown).lower()}",
        f"linger = {table.linger_s:g}",
        f"drain = {table.drain_s:g}",
    ]
    if table.communities:
        lines.append(f"communities = [{_listed(table.communities)}]")
    return "\n".join(lines) + "\n"


def _listed(words: list[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _server(plan: LabPlan, machine: Machine) -> str:
    capacity = "" if not machine.isp else _capacity(plan.site(machine.site))
    vips = ", ".join(f'{{ ipv4 = "{v4}", ipv6 = "{v6}" }}' for v4, v6 in machine.vips)
    listener = f'vip_listener = "http://{machine.ipv4}:{VIP_PORT}"\n'
    return (
        f'[[server]]\nname = "{machine.name}"\nsite = "{machine.site}"\n'
        f'host = "{machine.name}.{ZONE}"\nipv4 = ["{machine.ipv4}"]\nipv6 = ["{machine.ipv6}"]\n'
        f"http_port = {HTTP_PORT}\nhttps_port = {HTTPS_PORT if plan.config.tls else 0}\n"
        f'admin = "http://{machine.ipv4}:{EDGE_ADMIN}"\n{capacity}'
        f"storage = {plan.config.store_bytes}\n" + (f"vips = [{vips}]\n{listener}" if vips else "")
    )


def _capacity(site: SiteTable) -> str:
    return f'capacity = "{format_bit_rate(site.capacity_bps)}"\n'


def _coverage(plan: LabPlan, isp: str, *, default: bool) -> str:
    choices = ", ".join(
        f'{{ name = "{site.name}" }}'
        if site.isp == isp
        else f'{{ name = "{site.name}", order = 2 }}'
        for site in plan.config.sites
    )
    also = "default = true\n" if default else ""
    return f'[[coverage]]\nname = "{isp}"\nnetworks = ["{isp}"]\n{also}sites = [{choices}]\n'


def edge_toml(plan: LabPlan, machine: Machine) -> str:
    """Return the configuration of a server's edge."""
    home = plan.directory / machine.name
    origins = {one.name: _url(one, ORIGIN_PORT) for one in plan.of(Kind.ORIGIN)}
    return f"""\
node_id = "{machine.name}"
workers = 1
cache_dir = "{home / "store"}"
log_level = "warning"

# On every address, so on each VIP as soon as it is bound.
[[listen]]
address = "*:{HTTP_PORT}"

{_tls(plan)}{_admin(plan, f"{machine.ipv4}:{EDGE_ADMIN}")}
[limits]
connections = 4000

[store]
open_files = 512
size = {plan.config.store_bytes}

{_network(plan)}server = "{machine.name}"
{_follows(plan)}
{tables.service(origins)}"""


def _tls(plan: LabPlan) -> str:
    if not plan.config.tls:
        return ""
    return (
        f'[[listen]]\naddress = "*:{HTTPS_PORT}"\ntls = true\n\n'
        f'[[certificate]]\ncert = "{certificate_file(plan)}"\nkey = "{key_file(plan)}"\n\n'
        f'[tls]\nticket_secret_file = "{ticket_file(plan)}"\n\n'
    )


def _authority(plan: LabPlan) -> str:
    return f'ca = "{authority_file(plan)}"\n' if plan.config.tls else ""


def _probing(plan: LabPlan) -> str:
    return f"[probing]\n{_authority(plan)}\n" if plan.config.tls else ""


def vip_toml(plan: LabPlan, machine: Machine) -> str:
    """Return the configuration of what announces a server's addresses."""
    site = plan.site(machine.site)
    as_number = next(isp.as_number for isp in plan.config.isps if isp.name == machine.isp)
    assert machine.peer is not None  # a server has a line to its ISP's router
    sessions = "\n".join(
        f'[[router]]\nname = "{machine.isp}"\naddress = "{peer}"\nlocal_address = "{own}"\n'
        f"as = {as_number}\nhold_time = {site.hold_time_s:g}\nbfd = {str(site.bfd).lower()}\n"
        for peer, own in ((machine.peer.ipv4, machine.ipv4), (machine.peer.ipv6, machine.ipv6))
    )
    return f"""\
node_id = "{machine.name}-vip"
state_dir = "{plan.directory / machine.name / "vip"}"
log_level = "info"

# The other servers of the site ask here what this one announces.
[[listen]]
address = "{machine.ipv4}:{VIP_PORT}"

{_admin(plan, f"{machine.ipv4}:{VIP_ADMIN}")}
{_network(plan)}server = "{machine.name}"
{_follows(plan)}
[speaker]
kind = "exabgp"
as = {site.as_number}
router_id = "{machine.ipv4}"
user = "{plan.speaker_user}"

[checking]
half_life = {site.half_life_s:g}
{_authority(plan)}
{sessions}
{tables.probe("check", HOST, probe_sha256())}
[edge]
admin = "http://{machine.ipv4}:{EDGE_ADMIN}"
token_file = "{token_file(plan)}"

[neighbours]
port = {VIP_PORT}
"""


def router_toml(plan: LabPlan, machine: Machine) -> str:
    """Return the configuration of a request router."""
    names = ", ".join(f'"{one.name}.{ZONE}"' for one in plan.of(Kind.ROUTER))
    records = "\n".join(
        f'[[dns.zone.record]]\nname = "{one.name}"\ntype = "{kind}"\nvalue = "{value}"\n'
        for one in plan.of(Kind.ROUTER)
        for kind, value in (("A", one.ipv4), ("AAAA", one.ipv6))
    )
    return f"""\
node_id = "{machine.name}"
workers = 1
state_dir = "{plan.directory / machine.name / "state"}"
log_level = "warning"

[[listen]]
address = "*:{HTTP_PORT}"

{_admin(plan, f"{machine.ipv4}:{ROUTER_ADMIN}")}
{_network(plan)}{_follows(plan)}
[steering]
ttl = "2s"

[dns]
listen = ["{machine.ipv4}:53", "[{machine.ipv6}]:53"]

[[dns.zone]]
name = "{ZONE}"
nameservers = [{names}]
ttl = "3s"

{records}"""


def feedback_toml(plan: LabPlan, machine: Machine) -> str:
    """Return the configuration of an observer."""
    observers = {one.name: _url(one, OBSERVER_PORT) for one in plan.of(Kind.OBSERVER)}
    routers = {one.name: _url(one, ROUTER_ADMIN) for one in plan.of(Kind.ROUTER)}
    return f"""\
node_id = "{machine.name}"
state_dir = "{plan.directory / machine.name / "state"}"
observers_secret_file = "{observers_secret_file(plan)}"
log_level = "warning"

[[listen]]
address = "{machine.ipv4}:{OBSERVER_PORT}"

{_admin(plan, f"{machine.ipv4}:{FEEDBACK_ADMIN}")}
{_network(plan)}
{tables.observers(observers)}
{tables.probe("probe", HOST, probe_sha256())}
{_probing(plan)}[reports]
token_file = "{token_file(plan)}"

{tables.routers(routers)}
{tables.SETTLED_SOON}"""


def authority_file(plan: LabPlan) -> Path:
    """Return the file of the authority that has signed the servers' certificate."""
    return plan.directory / "ca.pem"


def certificate_file(plan: LabPlan) -> Path:
    """Return the file of the certificate that all servers have."""
    return plan.directory / "server.pem"


def key_file(plan: LabPlan) -> Path:
    """Return that of its key."""
    return plan.directory / "server.key"


def ticket_file(plan: LabPlan) -> Path:
    """Return the file of the secret for session tickets."""
    return plan.directory / "ticket.secrets"


def secret_file(plan: LabPlan) -> Path:
    """Return the file of the secret that all nodes know each other by."""
    return plan.directory / "peers.secret"


def observers_secret_file(plan: LabPlan) -> Path:
    """Return the file of the secret that observers know each other by."""
    return plan.directory / "observers.secret"


def token_file(plan: LabPlan) -> Path:
    """Return the file of the token of all admin APIs."""
    return plan.directory / "admin.token"


def _url(machine: Machine, port: int) -> str:
    return f"http://{machine.ipv4}:{port}"


def _admin(plan: LabPlan, listen: str) -> str:
    return tables.admin(listen, token_file(plan))


def _network(plan: LabPlan) -> str:
    return tables.network(plan.directory / DESCRIPTION, secret_file(plan))


def _follows(plan: LabPlan) -> str:
    return tables.follows(_url(one, OBSERVER_PORT) for one in plan.of(Kind.OBSERVER))
