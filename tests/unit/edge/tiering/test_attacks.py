"""What clients can do to a network by what they send to one of its servers."""

from __future__ import annotations

import asyncio

import pytest

from headrace.topology.model import StoreBy
from headrace.topology.placement import Placement
from tests.harness.memory_network import OriginConnection, any_request, playbook, serving, stall
from tests.harness.memory_site import MemorySite, run_site
from tests.unit.edge.tiering.test_site import network

FRESH = ("Cache-Control: max-age=600", 'ETag: "a"')
BODY = b"as it is"


def came_to_the_origin(site: MemorySite) -> int:
    return sum(heard.host == "o" for heard in site.network.requests)


@pytest.mark.parametrize("store", list(StoreBy))
@pytest.mark.parametrize("forged", ["via", "cdn-loop", "long cdn-loop"])
def test_a_client_can_not_make_servers_pass_each_other_by(forged: str, store: StoreBy) -> None:
    topology = network(store)

    async def dialogue(site: MemorySite) -> None:
        site.network.origin("o", serving(BODY, *FRESH))
        content = topology.classes[0]
        owners = Placement(topology).owners("north", content, b"/film")
        for _time in range(20):
            for name in [server.name for server in owners.servers[1:]]:
                others = ", ".join(f"1.1 {other}" for other in site.edges if other != name)
                field = {
                    "via": f"Via: {others}",
                    "cdn-loop": "CDN-Loop: net, net, net, net",
                    "long cdn-loop": "CDN-Loop: " + "s" * 2044,
                }[forged]
                assert (await site.edges[name].get("/film", field)).body == BODY
        assert came_to_the_origin(site) <= 5

    run_site(topology, dialogue)


@pytest.mark.parametrize("store", list(StoreBy))
def test_what_a_client_changes_by_a_server_it_does_not_get_from_another(store: StoreBy) -> None:
    async def dialogue(site: MemorySite) -> None:
        for name, edge in site.edges.items():
            site.network.origin("o", serving(b"before", *FRESH))
            _close_kept(site)
            await edge.get(f"/{name}")
            await asyncio.sleep(1)
            site.network.origin("o", serving(b"after", "Cache-Control: max-age=600", 'ETag: "b"'))
            _close_kept(site)
            assert (await edge.get(f"/{name}")).body == b"before"
            assert (await edge.get(f"/{name}", method="POST", body=b"x")).status == 200
            assert (await edge.get(f"/{name}")).body == b"after"

    run_site(network(store), dialogue)


def _close_kept(site: MemorySite) -> None:
    for edge in site.edges.values():
        edge.context.origin.idle.retain(())


@pytest.mark.parametrize("store", list(StoreBy))
@pytest.mark.parametrize(
    "field",
    ["Cache-Control: private, max-age=60", "Cache-Control: no-store", "Set-Cookie: a=b", "Vary: *"],
)
def test_no_client_gets_what_was_for_another(field: str, store: StoreBy) -> None:
    async def dialogue(site: MemorySite) -> None:
        async def mirror(connection: OriginConnection) -> None:
            while True:
                heard = await connection.request()
                who = heard.fields.get("x-who", "nobody") + heard.fields.get("authorization", "")
                await asyncio.sleep(0.05)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(who)}\r\n{field}\r\n\r\n"
                connection.send((head + who).encode())

        site.network.origin("o", mirror)
        for _time in range(3):
            asked = [
                (f"{name}{number}", site.edges[name].begin("/me", f"X-Who: {name}{number}"))
                for name in site.edges
                for number in range(3)
            ]
            for who, answer in asked:
                await answer.done()
                assert answer.status == 200
                assert answer.body in (who.encode(), b"nobody")
        for edge in site.edges.values():
            assert not edge.stored("/me")

    run_site(network(store), dialogue)


@pytest.mark.parametrize("store", list(StoreBy))
def test_what_is_for_who_may_log_in_is_for_no_one_else(store: StoreBy) -> None:
    async def dialogue(site: MemorySite) -> None:
        async def guarded(connection: OriginConnection) -> None:
            while True:
                heard = await connection.request()
                who = heard.fields.get("authorization", "")
                await asyncio.sleep(0.05)
                status = "200 OK" if who else "401 Who"
                connection.send(
                    f"HTTP/1.1 {status}\r\nContent-Length: {len(who)}\r\n"
                    f"Cache-Control: max-age=60\r\n\r\n{who}".encode()
                )

        site.network.origin("o", guarded)
        for _time in range(3):
            asked = []
            for name, edge in site.edges.items():
                asked.append((name, edge.begin("/me", f"Authorization: {name}")))
                asked.append(("", edge.begin("/me")))
            for who, answer in asked:
                await answer.done()
                assert answer.status == (200 if who else 401)
                assert answer.body == who.encode()

    run_site(network(store), dialogue)


def test_one_request_becomes_few_when_every_server_and_origin_is_silent() -> None:
    async def dialogue(site: MemorySite) -> None:
        site.network.origin("o", playbook(any_request, stall))
        for name in ("n1", "n2", "n3"):
            before = len(site.network.requests)
            await site.edges[name].get(f"/{name}")
            assert len(site.network.requests) - before <= 16

    run_site(network(), dialogue)
