from __future__ import annotations

from dataclasses import replace

from headrace.simulate.content import Kind, Title
from headrace.simulate.network import Network, Servers, Source
from headrace.simulate.node import Node
from headrace.simulate.stores import make_store
from headrace.topology.classify import Classes
from headrace.topology.model import StoreBy, Topology
from tests.harness.scenarios import STORE_BYTES, a_network

HORIZON_S = 3600.0


class Stand:
    """A network with empty stores, and a title in it."""

    def __init__(
        self,
        topology: Topology | None = None,
        cache_control: str = "max-age=86400",
        *,
        tiering: bool = True,
    ) -> None:
        self.topology = a_network(4) if topology is None else topology
        self.nodes = {
            server.name: Node(number, server, make_store("s3-fifo", STORE_BYTES))
            for number, server in enumerate(self.topology.servers)
        }
        self.servers = Servers(self.nodes, tiering=tiering)
        self.origins = self.servers.origins
        self.network = Network(self.topology, self.servers)
        kind = Kind(
            "films",
            Classes(self.topology.classes),
            "vod.example",
            "/{title}/{chunk}",
            chunk_s=4.0,
            bit_rate_bps=1_000_000,
            cache_control=cache_control,
            horizon_s=HORIZON_S,
        )
        self.title = Title(kind, 1, "one", 100)
        owners = self.network.placement.owners("north", kind.content, self.title.shard(0))
        self.in_order = [self.nodes[server.name] for server in owners.servers]

    @property
    def owner(self) -> Node:
        return self.in_order[0]

    @property
    def other(self) -> Node:
        return self.in_order[2]

    def ask(self, node: Node, now: float = 0.0) -> Source:
        return self.network.serve(node, self.title, 0, now)


def test_the_first_request_goes_through_the_parent_to_the_origin_and_is_kept_on_the_way() -> None:
    stand = Stand()
    assert stand.ask(stand.owner) is Source.ORIGIN
    assert stand.ask(stand.owner) is Source.HIT
    assert stand.origins.requests == 1
    assert stand.nodes["m1"].store.used_bytes == stand.owner.store.used_bytes > 0


def test_a_server_asks_the_owner_of_its_site_and_keeps_nothing_of_it() -> None:
    stand = Stand()
    stand.ask(stand.owner)
    assert stand.ask(stand.other) is Source.SIBLING
    assert not stand.other.store.held
    assert stand.owner.peer_bytes == stand.title.kind.size_bytes


def test_another_site_is_served_by_the_parent_of_both() -> None:
    stand = Stand()
    stand.ask(stand.owner)
    south = next(node for name, node in stand.nodes.items() if node.site == "south")
    assert stand.ask(south) is Source.PARENT
    assert stand.origins.requests == 1


def test_without_tiering_each_server_asks_the_origin_for_itself_and_keeps_it() -> None:
    stand = Stand(tiering=False)
    assert [stand.ask(stand.owner), stand.ask(stand.other)] == [Source.ORIGIN] * 2
    assert stand.ask(stand.other) is Source.HIT


def test_while_the_owner_is_dead_whoever_stands_in_for_it_is_asked() -> None:
    stand = Stand()
    stand.owner.is_up = False
    assert stand.ask(stand.other) is Source.ORIGIN
    assert stand.in_order[1].store.held
    assert stand.ask(stand.other) is Source.SIBLING


def test_with_no_sibling_and_no_parent_left_a_server_keeps_what_it_fetches_itself() -> None:
    stand = Stand()
    for node in stand.nodes.values():
        node.is_up = node is stand.other
    assert stand.ask(stand.other) is Source.ORIGIN
    assert stand.ask(stand.other) is Source.HIT


def test_a_class_that_keeps_what_is_popular_keeps_it_after_so_many_requests() -> None:
    topology = a_network(4)
    content = replace(topology.classes[0], store=StoreBy.POPULAR, popular_after=3)
    stand = Stand(replace(topology, classes=(content,)))
    stand.ask(stand.owner)
    found = [stand.ask(stand.other) for _ in range(4)]
    assert found == [Source.SIBLING, Source.SIBLING, Source.SIBLING, Source.HIT]


def test_what_is_stale_is_validated_at_the_origin_and_no_bytes_come() -> None:
    stand = Stand(cache_control="max-age=10")
    stand.ask(stand.owner, 0.0)
    assert stand.ask(stand.owner, 9.0) is Source.HIT
    sent_bytes = stand.origins.bytes
    assert stand.ask(stand.owner, 11.0) is Source.HIT
    assert (stand.origins.requests, stand.origins.bytes) == (2, sent_bytes)
    assert stand.ask(stand.owner, 20.0) is Source.HIT
    assert stand.origins.requests == 2


def test_a_copy_is_as_old_as_where_it_came_from() -> None:
    stand = Stand(cache_control="max-age=10")
    south = next(node for node in stand.nodes.values() if node.site == "south")
    stand.ask(stand.owner, 0.0)
    stand.ask(south, 8.0)
    stand.ask(south, 11.0)
    assert stand.origins.requests == 2


def test_what_may_not_be_stored_is_asked_for_each_time() -> None:
    stand = Stand(cache_control="no-store")
    assert [stand.ask(stand.owner) for _ in range(3)] == [Source.ORIGIN] * 3


def test_without_origins_only_what_is_stored_is_served() -> None:
    stand = Stand()
    stand.ask(stand.owner)
    stand.origins.is_up = False
    assert stand.ask(stand.owner) is Source.HIT
    assert stand.network.serve(stand.owner, stand.title, 1, 0.0) is Source.NOWHERE
    assert stand.origins.refused == 2  # the parent asked, and then the server itself


def test_what_is_stale_stands_in_for_origins_that_cannot_be_reached_as_long_as_edges_let_it() -> (
    None
):
    stand = Stand(cache_control="max-age=10")
    stand.ask(stand.owner, 0.0)
    stand.origins.is_up = False
    assert stand.ask(stand.owner, 30.0) is Source.HIT
    assert stand.ask(stand.owner, 200.0) is Source.NOWHERE
