"""The configuration of each part of the demo, and the description of its network. Pure.

Capacities are so small that a crowd of this machine fills a site, and times so short that somebody
who watches sees what follows.
"""

from __future__ import annotations

from ipaddress import ip_address

from headrace.lab import tables
from headrace.lab.plan import CLOUD, Plan, PlannedNode, PlannedServer

CACHE_SIZE = "256MiB"
CAPACITY = "24Mbps"
TARGET = 0.5


def network_toml(plan: Plan) -> str:
    """Return the description of the network."""
    parts = [
        'name = "demo"\n',
        '[[network]]\nname = "home"\nprefixes = ["127.0.0.0/8", "::1/128"]\n',
        _site("north", "edge", 60.2, 24.9),
        _site("south", "edge", 41.9, 12.5),
        _site("mid", "mid", 50.1, 8.7),
        f'[[site]]\nname = "{CLOUD}"\nkind = "external"\nbase_url = "{plan.cloud.url}"\n'
        "price_per_gb = 0.02\n",
    ]
    for server in plan.servers:
        parts.append(
            f'[[server]]\nname = "{server.name}"\nsite = "{server.site}"\n'
            f'host = "{server.place.host}"\n{_addresses(server.place.host)}'
            f"http_port = {server.place.port}\nhttps_port = 0\n"
            f'admin = "{server.admin.url}"\ncapacity = "{CAPACITY}"\nstorage = "256MiB"\n'
        )
    parts.append(
        '[[coverage]]\nname = "home"\nnetworks = ["home"]\n'
        'sites = [{ name = "north" }, { name = "south", order = 2 }]\n'
    )
    parts.append(
        '[[coverage]]\nname = "others"\ndefault = true\n'
        'sites = [{ name = "north" }, { name = "south" }]\n'
    )
    # A segment is a shard by itself: so the page shows both servers of a site at work.
    parts += tables.classes()
    return "\n".join(parts)


def _addresses(host: str) -> str:
    try:
        version = ip_address(host).version
    except ValueError:
        return ""  # a name: whoever asks resolves it
    return f'ipv{version} = ["{host}"]\n'


def _site(name: str, kind: str, latitude: float, longitude: float) -> str:
    parents = 'parents = ["mid"]\n' if kind == "edge" else ""
    return (
        f'[[site]]\nname = "{name}"\nkind = "{kind}"\ntarget_utilisation = {TARGET}\n'
        f"coordinates = [{latitude}, {longitude}]\n{parents}"
    )


def edge_toml(plan: Plan, server: PlannedServer) -> str:
    """Return the configuration of one server."""
    origins = {name: place.url for name, place in plan.origins.items()}
    return f"""\
node_id = "{server.name}"
workers = 1
cache_dir = "{plan.store(server.name)}"
log_level = "warning"

[[listen]]
address = "{server.place}"

{_admin(plan, server)}
[store]
size = "{CACHE_SIZE}"

{_network(plan)}server = "{server.name}"
{_follows(plan)}
{tables.service(origins)}"""


def router_toml(plan: Plan, router: PlannedNode) -> str:
    """Return the configuration of a router."""
    return f"""\
node_id = "{router.name}"
workers = 1
state_dir = "{plan.directory / router.name}"
log_level = "warning"

[[listen]]
address = "{router.place}"

{_admin(plan, router)}
{_network(plan)}{_follows(plan)}
[steering]
ttl = "2s"
"""


def feedback_toml(plan: Plan, observer: PlannedNode, probe_sha256: str) -> str:
    """Return the configuration of an observer. A server that has failed often is kept out for half
    a minute, not for half an hour.
    """
    observers = {one.name: one.place.url for one in plan.observers}
    routers = {one.name: one.admin.url for one in plan.routers}
    return f"""\
node_id = "{observer.name}"
state_dir = "{plan.directory / observer.name}"
observers_secret_file = "{plan.observers_secret_file}"
log_level = "warning"

[[listen]]
address = "{observer.place}"

{_admin(plan, observer)}
{_network(plan)}
{tables.observers(observers)}
{tables.probe("probe", f"{tables.CLASS}.example", probe_sha256)}
[reports]
token_file = "{plan.token_file}"

{tables.routers(routers)}
{tables.SETTLED_SOON}full_above = 1.0

[balance]
interval = "2s"
rise = "2s"
fall = "4s"
other = "5s"
correct = "20s"
"""


def _admin(plan: Plan, node: PlannedNode | PlannedServer) -> str:
    return tables.admin(node.admin, plan.token_file)


def _network(plan: Plan) -> str:
    return tables.network(plan.network_file, plan.secret_file)


def _follows(plan: Plan) -> str:
    return tables.follows(one.place.url for one in plan.observers)
