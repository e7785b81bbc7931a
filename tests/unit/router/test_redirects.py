"""Redirects: by coverage, with path and query as they are, and never elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.topology.model import AdminState, Redirect, Topology
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.memory_router import NORTH, NOWHERE, SOUTH, memory_router
from tests.harness.networks import two_sites

SITES = {"n": "north", "s": "south"}
ROUTER = memory_router()
EXTERNAL = "https://cdn.example.net/headrace"


def site_of(location: str) -> str:
    return SITES[str(urlsplit(location).hostname)[0]]


def of_class(topology: Topology, **changes: object) -> Topology:
    return replace(topology, classes=(replace(topology.classes[0], **changes),))  # type: ignore[arg-type]


def without(topology: Topology, *sites: str) -> View:
    names = [server.name for site in sites for server in topology.servers_of(site)]
    return View(servers={name: ServerView(ServerState.FAILED) for name in names})


def test_a_client_is_sent_to_the_site_of_its_network() -> None:
    router = memory_router()
    assert site_of(router.ask("/film/1.m4s", client=NORTH).fields["location"]) == "north"
    assert site_of(router.ask("/film/1.m4s", client=SOUTH).fields["location"]) == "south"
    assert router.ask("/film/1.m4s", client=NOWHERE).status == 302


def test_the_same_question_has_the_same_answer_in_every_process() -> None:
    answers = {router.ask("/film/1").fields["location"] for router in (memory_router(),) * 3}
    assert answers == {memory_router().ask("/film/1").fields["location"]}


def test_the_second_answer_is_the_first() -> None:
    router = memory_router()
    first, second = router.ask("/film/1?a=b"), router.ask("/film/1?a=b")
    assert first.fields == second.fields
    assert (second.status, second.body) == (302, b"")


@pytest.mark.parametrize(
    "target",
    [
        "/film/1.m4s",
        "/film/1.m4s?token=a%2Fb&x=%00&y==&z",
        "/a%2fb/%e2%82%ac?q=%20",
        "/?",
        "//evil.example/path",
        "/@evil.example/",
        "/https://evil.example/",
        "/film;a=b",
    ],
)
def test_path_and_query_stay_byte_for_byte(target: str) -> None:
    location = memory_router().ask(target).fields["location"]
    assert location.startswith("http://n")
    assert location.partition(".cdn.example")[2] == target


@given(st.binary(min_size=1, max_size=40))
def test_no_target_leads_out_of_the_network(data: bytes) -> None:
    target = b"/" + bytes(byte for byte in data if byte not in b" \r\n\t\0")
    request = b"GET " + target + b" HTTP/1.1\r\nHost: vod.example\r\n\r\n"
    answer = ROUTER.send(request)
    for _ in range(3):  # each a shorter way than the one before
        again = ROUTER.send(request)
        assert (again.status, again.fields) == (answer.status, answer.fields)
    if answer.status == 302:
        location = answer.fields["location"]
        assert urlsplit(location).netloc in {"n1.cdn.example", "n2.cdn.example"}
        assert not set("\r\n\0") & set(location)
    else:
        assert answer.status == 400


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "vod.example.evil.example",
        "evil.example:80@vod.example",
        "vod.example/../evil.example",
        "vod.example evil.example",
        "[::1]",
        "",
        "a" * 300,
    ],
)
def test_another_host_is_not_redirected(host: str) -> None:
    answer = memory_router().ask("/film/1", host=host)
    assert answer.status in (400, 404)
    assert "location" not in answer.fields
    assert answer.fields["content-type"] == "application/problem+json"
    assert answer.fields["cache-control"] == "no-store"


def test_an_absolute_target_is_its_path() -> None:
    router = memory_router()
    answer = router.ask("http://vod.example/film/1?a=b")
    assert urlsplit(answer.fields["location"])[2:4] == ("/film/1", "a=b")
    assert router.ask("http://evil.example/film/1", host="evil.example").status == 404
    assert router.ask("http://evil.example/film/1", host="vod.example").status == 400


def test_a_star_is_no_path() -> None:
    assert memory_router().ask("*").status == 400


def test_dot_segments_do_not_climb_out_of_an_external_sites_path() -> None:
    topology = two_sites()
    router = memory_router(topology, without(topology, "north", "south"))
    answer = router.ask("/../../private/key")
    assert answer.fields["location"] == f"{EXTERNAL}/private/key"


def test_an_external_site_stands_in_when_nothing_else_is_left() -> None:
    topology = two_sites()
    router = memory_router(topology, without(topology, "north"))
    assert site_of(router.ask("/film/1").fields["location"]) == "south"
    router.adopt(topology, without(topology, "north", "south"))
    assert router.ask("/film/1?a").fields["location"] == f"{EXTERNAL}/film/1?a"


def test_with_nothing_left_a_client_is_asked_to_come_again() -> None:
    topology = of_class(two_sites(), external=False)
    router = memory_router(topology, without(topology, "north", "south"), retry_after="7s")
    answer = router.ask("/film/1")
    assert (answer.status, answer.fields["retry-after"]) == (503, "7")
    assert json.loads(answer.body)["status"] == 503
    assert b"north" not in answer.body


def test_a_withdrawn_server_gets_nobody() -> None:
    topology = two_sites()
    servers = tuple(
        replace(one, state=AdminState.WITHDRAWN) if one.name == "n1" else one
        for one in topology.servers
    )
    router = memory_router(replace(topology, servers=servers))
    hosts = {
        urlsplit(router.ask(f"/film/{number}").fields["location"]).hostname for number in range(50)
    }
    assert hosts == {"n2.cdn.example"}


def test_shards_are_spread_over_the_servers_of_a_site() -> None:
    router = memory_router()
    hosts = {
        urlsplit(router.ask(f"/film/{number}").fields["location"]).hostname for number in range(50)
    }
    assert hosts == {"n1.cdn.example", "n2.cdn.example"}


def test_a_new_view_moves_clients_at_once() -> None:
    topology = two_sites()
    router = memory_router(topology)
    before = {router.ask("/film/1").fields["location"] for _ in range(4)}.pop()
    router.adopt(topology, without(topology, "north"))
    after = router.ask("/film/1").fields["location"]
    assert (site_of(before), site_of(after)) == ("north", "south")
    router.adopt(topology)
    assert router.ask("/film/1").fields["location"] == before


def test_a_client_with_tls_stays_with_tls() -> None:
    router = memory_router()
    location = router.ask("/film/1", covers=("vod.example",)).fields["location"]
    assert location.startswith("https://n")
    again = router.ask("/film/1", covers=("vod.example",)).fields["location"]
    assert again == location


def test_a_client_with_tls_is_not_sent_to_a_server_without() -> None:
    topology = two_sites()
    servers = tuple(
        replace(one, https_port=None, http_port=8080) if one.site == "north" else one
        for one in topology.servers
    )
    router = memory_router(replace(topology, servers=servers))
    assert site_of(router.ask("/f", covers=("vod.example",)).fields["location"]) == "south"
    assert ".cdn.example:8080/f" in router.ask("/f").fields["location"]


def test_a_client_without_tls_is_sent_to_a_server_that_has_only_that() -> None:
    topology = two_sites()
    servers = tuple(replace(one, http_port=None, https_port=8443) for one in topology.servers)
    location = memory_router(replace(topology, servers=servers)).ask("/f").fields["location"]
    assert location.startswith("https://n")
    assert location.endswith(".cdn.example:8443/f")


def test_a_connection_for_another_name_is_misdirected() -> None:
    assert memory_router().ask("/film/1", covers=("other.example",)).status == 421


def test_the_class_says_status_and_host() -> None:
    topology = of_class(
        two_sites(), redirect=Redirect.TEMPORARY, server_host="{server}.vod.example.org"
    )
    answer = memory_router(topology).ask("/film/1")
    assert answer.status == 307
    assert answer.fields["location"].endswith(".vod.example.org/film/1")


def test_nobody_keeps_a_redirect_unless_that_is_configured() -> None:
    assert memory_router().ask("/f").fields["cache-control"] == "no-store"
    kept = memory_router(redirect_max_age="10s").ask("/f").fields["cache-control"]
    assert kept == "private, max-age=10"
    longer = memory_router(redirect_max_age="1h").ask("/f").fields["cache-control"]
    assert longer == "private, max-age=30", "the class's ttl"


def test_players_on_other_pages_may_follow() -> None:
    router = memory_router()
    assert router.ask("/f").fields["access-control-allow-origin"] == "*"
    preflight = router.ask("/f", method="OPTIONS")
    assert preflight.status == 204
    assert preflight.fields["access-control-allow-methods"] == "GET, HEAD"
    assert preflight.fields["allow"] == "GET, HEAD, OPTIONS"


def test_pages_may_send_what_a_307_keeps() -> None:
    network = two_sites()
    content = replace(network.classes[0], redirect=Redirect.TEMPORARY)
    router = memory_router(replace(network, classes=(content,)))
    preflight = router.ask("/f", method="OPTIONS")
    methods = preflight.fields["access-control-allow-methods"].split(", ")
    assert "PUT" in methods
    for method in methods:
        assert router.ask("/f", method=method).fields["access-control-allow-origin"] == "*"
        assert router.ask("/f", method=method).status == 307


def test_what_one_client_was_sent_is_not_sent_to_another() -> None:
    router = memory_router(trusted_proxies=["10.0.0.0/8"])
    for _ in range(4):
        assert site_of(router.ask("/f", client=NORTH).fields["location"]) == "north"
        assert site_of(router.ask("/f", client=SOUTH).fields["location"]) == "south"
        for client, site in ((NORTH, "north"), (SOUTH, "south")):
            proxied = router.ask("/f", ("X-Forwarded-For", client), client="10.0.0.1")
            assert site_of(proxied.fields["location"]) == site
        assert router.ask("/f", covers=("vod.example",)).fields["location"][:7] == "https:/"
        assert router.ask("/f", covers=("other.example",)).status == 421
        assert router.ask("/f", method="POST").status == 405
        assert router.ask("/f", host="evil.example").status == 404
    reasons = router.snapshot().labelled["routed_reasons"]
    assert reasons == {"coverage": 4 * 5}


def test_a_head_is_redirected_like_a_get() -> None:
    router = memory_router()
    assert router.ask("/f", method="HEAD").fields == router.ask("/f").fields


def test_a_302_is_for_methods_that_it_keeps() -> None:
    router = memory_router()
    answer = router.ask("/f", method="POST", body=b"abc")
    assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert router.ask("/f", method="TRACE").status == 405
    assert router.ask("/f", method="PROPFIND").status == 501


def test_a_307_is_for_all_methods() -> None:
    router = memory_router(of_class(two_sites(), redirect=Redirect.TEMPORARY))
    answer = router.ask("/f", method="POST", body=b"abc")
    assert (answer.status, site_of(answer.fields["location"])) == (307, "north")
    assert router.ask("/f", method="TRACE").status == 405


def test_decisions_are_counted_by_place_class_and_reason() -> None:
    topology = two_sites()
    router = memory_router(topology)
    for client in (NORTH, NORTH, SOUTH, NOWHERE):
        router.ask("/film/1", client=client)
    router.adopt(topology, without(topology, "north"))
    router.ask("/film/1", client=NORTH)
    counted = router.snapshot()
    assert sum(counted.labelled["routed_servers"].values()) == 5
    assert counted.labelled["routed_classes"] == {"vod": 5}
    assert counted.labelled["routed_reasons"] == {"coverage": 4, "any": 1}
    assert counted.counters["routed_fallbacks"] == 1
    assert counted.counters["routed_unknown_clients"] == 1
    assert sum(counted.histograms["routing_seconds"].counts) == 5


def test_hosts_that_nobody_knows_count_for_no_class() -> None:
    router = memory_router()
    for number in range(20):
        router.ask("/f", host=f"h{number}.example")
    assert router.snapshot().labelled["routed_classes"] == {}


def test_a_fault_of_ours_is_an_answer_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    router = memory_router()

    def fail(*_arguments: object) -> None:
        raise KeyError("/etc/secret")

    monkeypatch.setattr(router.context.network, "first", fail)
    answer = router.ask("/film/1")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert router.ask("/film/1", host="evil.example").status == 404
