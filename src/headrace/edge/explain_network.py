"""What an edge's network has to do with a request, as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headrace.config.network_member import EdgeMember
from headrace.edge.service.resource import Resource
from headrace.edge.tiering.servers import asked_by_tls, place_of
from headrace.topology.classify import Classes
from headrace.topology.model import ContentClass, Server, StoreBy, Topology
from headrace.topology.placement import Owners, Placement
from headrace.topology.tiers import sources
from headrace.topology.view import NO_VIEW, View


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """The network that an edge belongs to, and what is known of its state."""

    member: EdgeMember
    topology: Topology
    view: View = NO_VIEW


def explain_network(known: KnownNetwork, resource: Resource, *, cached: bool) -> Iterator[str]:
    """Yield the class, the shard, its owners, who is asked before the origins, and what is stored.
    Without `cached` the request goes past the cache. The description has this server.
    """
    topology, member = known.topology, known.member
    me = topology.server(member.server)
    yield f"network        server {me.name} of site {me.site}"
    found = Classes(topology.classes, topology.servers).of(resource.authority, resource.path)
    if found is None:
        yield "class          none: the network has no part in it"
        return
    content = found.content
    yield f"class          {content.name}"
    yield f"shard          {found.shard.decode('latin-1')}"
    placement = Placement(topology, known.view)
    owners = placement.owners(me.site, content, found.shard)
    yield f"held by        {_held_by(owners, me)}"
    if not content.tiering:
        yield "asks           no server (tiering = false)"
        return
    if not cached:
        yield "asks           no server: the request goes past the cache"
        return
    if member.secret_file is None and member.tiering.cert is None:
        yield "asks           no server: [network] has no secret_file, nor a certificate to show"
        return
    tiers = sources(topology, placement, me, content, found.shard, most_hops=member.hops)
    asked = [server for server in tiers.servers if place_of(server) is not None]
    for number, server in enumerate(asked, 1):
        yield f"asks {number}         {server.name} of site {server.site} ({_where(server)})"
    if not asked:
        yield "asks           no server before the origins"
    siblings = any(server.site == me.site for server in asked)
    yield f"stores         {_stores(member, content, owns=tiers.owns, siblings=siblings)}"


def _held_by(owners: Owners, me: Server) -> str:
    holders = owners.servers[: owners.width]
    if not holders:
        return "nobody: no server of the site can be asked"
    names = ", ".join(server.name for server in holders)
    if me in holders:
        return f"{names}: this server owns it"
    if me in owners.servers:
        return f"{names}: this server stands in for it"
    return f"{names}: this server does not own it"


def _where(server: Server) -> str:
    place = place_of(server)
    assert place is not None
    _name, address, port = place
    shown = f"[{address}]" if ":" in address else address
    return f"{'https' if asked_by_tls(server) else 'http'}://{shown}:{port}"


def _stores(member: EdgeMember, content: ContentClass, *, owns: bool, siblings: bool) -> str:
    if owns:
        return "what the cache policy allows: this server owns it"
    if not siblings:
        return "what the cache policy allows: no other server of the site can be asked"
    if content.store is StoreBy.ALWAYS:
        return 'what the cache policy allows (store = "always")'
    if content.store is StoreBy.POPULAR:
        within = f"{member.tiering.popular_within_s:g} s"
        return f'from request {content.popular_after} within {within} on (store = "popular")'
    return 'nothing while another server of the site answers (store = "own")'
