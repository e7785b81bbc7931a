"""`/v1/steering`: the document that players get, for HLS and DASH."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from headrace.topology.view import ServerState, ServerView, View
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.memory_router import NORTH, SOUTH, MemoryRouter, memory_router
from tests.harness.networks import two_sites

FILM = "http://vod.example/film/master.m3u8"
MEDIA_TYPE = "application/vnd.apple.steering-list"


def ask(router: MemoryRouter, more: str = "", url: str = FILM, **how: Any) -> MemoryExchange:
    target = f"/v1/steering?url={quote(url, safe='')}{more}"
    return router.ask(target, **{"host": "router.example", **how})


def document(router: MemoryRouter, more: str = "", **how: Any) -> Any:
    answer = ask(router, more, **how)
    assert (answer.status, answer.fields["content-type"]) == (200, MEDIA_TYPE)
    found = json.loads(answer.body)
    priority = found["PATHWAY-PRIORITY"]
    assert priority
    assert len(set(priority)) == len(priority)
    assert all(priority)
    return found


def again(router: MemoryRouter, found: Any, more: str, **how: Any) -> Any:
    """Ask as a player does: by the URI that it was told, with what it adds."""
    uri = urlsplit(found["RELOAD-URI"])
    answer = router.ask(f"{uri.path}?{uri.query}{more}", **{"host": uri.netloc, **how})
    assert answer.status == 200
    return json.loads(answer.body)


def failed(*names: str) -> View:
    return View(servers={name: ServerView(ServerState.FAILED) for name in names})


def test_a_playlist_that_names_sites_gets_sites() -> None:
    router = memory_router()
    found = document(router, "&pathways=south,north")
    assert found["VERSION"] == 1
    assert found["TTL"] == 30
    assert found["PATHWAY-PRIORITY"] == ["north", "south"]
    assert "PATHWAY-CLONES" not in found
    south = document(router, "&pathways=south,north", client=SOUTH)
    assert south["PATHWAY-PRIORITY"] == ["south", "north"]


def test_a_playlist_that_names_nothing_is_taken_to_name_the_sites() -> None:
    assert document(memory_router())["PATHWAY-PRIORITY"] == ["north", "south", "elsewhere"]


def test_other_servers_are_clones_of_what_the_playlist_names() -> None:
    router = memory_router()
    found = document(router, "&pathways=router")
    *servers, last = found["PATHWAY-PRIORITY"]
    assert last == "router", "what remains if all others fail"
    assert [name[0] for name in servers] == ["n", "n", "s", "s"]
    assert found["PATHWAY-CLONES"] == [
        {"BASE-ID": "router", "ID": name, "URI-REPLACEMENT": {"HOST": f"{name}.cdn.example"}}
        for name in servers
    ]


def test_the_first_pathway_is_where_a_redirect_leads() -> None:
    router = memory_router()
    first = document(router, "&pathways=router")["PATHWAY-PRIORITY"][0]
    location = router.ask("/film/master.m3u8").fields["location"]
    assert urlsplit(location).netloc == f"{first}.cdn.example"


def test_a_clone_has_the_port_of_its_server() -> None:
    topology = two_sites()
    servers = tuple(replace(one, http_port=8080) for one in topology.servers)
    found = document(memory_router(replace(topology, servers=servers)), "&pathways=router")
    hosts = {clone["URI-REPLACEMENT"]["HOST"] for clone in found["PATHWAY-CLONES"]}
    assert all(host.endswith(".cdn.example:8080") for host in hosts)


def test_an_external_site_is_a_clone_only_without_a_path_of_its_own() -> None:
    topology = two_sites()
    for base, cloned in (("http://cdn.example.net", True), ("https://cdn.example.net", False)):
        external = replace(topology.sites[3], base_url=base)
        router = memory_router(replace(topology, sites=(*topology.sites[:3], external)))
        found = document(router, "&pathways=router")
        assert ("elsewhere" in found["PATHWAY-PRIORITY"]) is cloned


def test_nobody_keeps_it_and_any_page_may_read_it() -> None:
    answer = ask(memory_router())
    assert answer.fields["cache-control"] == "no-store"
    assert answer.fields["access-control-allow-origin"] == "*"


def test_the_reload_uri_is_absolute_and_brings_back_what_must_be_known() -> None:
    router = memory_router(trusted_proxies=["10.0.0.0/8"])
    found = document(router, "&pathways=router,x&need=3000000&_HLS_pathway=n1")
    uri = urlsplit(found["RELOAD-URI"])
    assert (uri.scheme, uri.netloc, uri.path) == ("http", "router.example", "/v1/steering")
    assert parse_qs(uri.query) == {
        "url": [FILM],
        "pathways": ["router,x"],
        "need": ["3000000"],
        "told": ["n1"],
    }
    with_tls = document(router, covers=("router.example",))
    assert with_tls["RELOAD-URI"].startswith("https://router.example/")
    fields = ("X-Forwarded-Proto", "https")
    proxied = router.ask(
        f"/v1/steering?url={quote(FILM)}", fields, host="router.example:8443", client="10.0.0.1"
    )
    assert json.loads(proxied.body)["RELOAD-URI"].startswith("https://router.example:8443/")


def test_a_player_is_moved_when_its_server_fails_and_stays_where_it_is_then() -> None:
    topology = two_sites()
    router = memory_router(topology)
    found = document(router, "&pathways=router")
    first = found["PATHWAY-PRIORITY"][0]
    router.adopt(topology, failed(first))
    moved = again(router, found, f"&_HLS_pathway={first}&_HLS_throughput=9000000")
    second = moved["PATHWAY-PRIORITY"][0]
    assert first not in moved["PATHWAY-PRIORITY"]
    router.adopt(topology)
    kept = again(router, moved, f"&_HLS_pathway={second}&_HLS_throughput=9000000")
    assert kept["PATHWAY-PRIORITY"][:2] == [second, first]


def test_a_player_that_gets_too_little_is_sent_to_the_other_site_and_no_further() -> None:
    router = memory_router()
    found = document(router, "&pathways=router&need=4000000")
    first = found["PATHWAY-PRIORITY"][0]
    moved = again(router, found, f"&_HLS_pathway={first}&_HLS_throughput=1000000")
    second = moved["PATHWAY-PRIORITY"][0]
    assert (first[0], second[0]) == ("n", "s")
    assert parse_qs(urlsplit(moved["RELOAD-URI"]).query)["slow"] == ["north"]
    fast = again(router, moved, f"&_HLS_pathway={second}&_HLS_throughput=9000000")
    assert fast["PATHWAY-PRIORITY"][0] == second
    slow = again(router, fast, f"&_HLS_pathway={second}&_HLS_throughput=1000000")
    home = slow["PATHWAY-PRIORITY"][0]
    assert home == first
    still = again(router, slow, f"&_HLS_pathway={home}&_HLS_throughput=1000000")
    assert still["PATHWAY-PRIORITY"][0] == home, "its own connection is slow"


def test_dash_players_say_it_in_lists() -> None:
    router = memory_router()
    found = document(router, "&pathways=router&need=4000000")
    first = found["PATHWAY-PRIORITY"][0]
    report = f"&_DASH_pathway=%22{first},router%22&_DASH_throughput=1000000,1000000"
    assert again(router, found, report)["PATHWAY-PRIORITY"][0][0] == "s"


def test_with_nothing_usable_a_player_stays_with_what_its_playlist_names() -> None:
    topology = two_sites()
    closed = replace(topology, classes=(replace(topology.classes[0], external=False),))
    router = memory_router(closed, failed(*(server.name for server in topology.servers)))
    assert document(router, "&pathways=router,north")["PATHWAY-PRIORITY"] == ["router"]
    assert document(router, "&pathways=south,north")["PATHWAY-PRIORITY"] == ["south", "north"]
    assert ask(router).status == 503


@pytest.mark.parametrize(
    "more",
    [
        "&told=%00&slow=../..,<x>&pathways=%22",
        "&told=" + "a" * 1000,
        "&slow=" + ",".join("x" for _ in range(500)),
        "&pathways=" + ",".join(f"p{number}" for number in range(500)),
        "&_HLS_pathway=%ef%bf%bd&_HLS_throughput=NaN",
        "&_DASH_pathway=,,,&_DASH_throughput=,",
    ],
)
def test_what_a_player_makes_up_changes_nothing_and_does_not_grow(more: str) -> None:
    found = document(memory_router(), more)
    assert len(found["RELOAD-URI"]) < 400
    assert found["PATHWAY-PRIORITY"][0] in ("north", "n1", "n2")


@pytest.mark.parametrize("more", ["&need=x", "&need=-1", "&need=" + "9" * 13])
def test_a_need_is_a_number(more: str) -> None:
    assert ask(memory_router(), more).status == 400


def test_a_question_about_nothing_of_the_network_is_refused() -> None:
    assert ask(memory_router(), url="http://evil.example/film").status == 404
    assert ask(memory_router(), url="nonsense").status == 400
    assert ask(memory_router(), host=None).status == 400


def test_where_players_are_sent_is_counted() -> None:
    router = memory_router()
    document(router, "&pathways=north,south", client=NORTH)
    document(router, "&pathways=router", client=SOUTH)
    counted = router.snapshot().labelled
    assert counted["routed_sites"] == {"north": 1, "south": 1}
    assert counted["router_answers"] == {"steering": 2}
