"""`/v1/locate`: where a URL is found, in order; and the debug answer, for those allowed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from headrace.errors import HeadraceError
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.memory_exchange import MemoryExchange
from tests.harness.memory_router import NORTH, SOUTH, MemoryRouter, memory_router
from tests.harness.networks import two_sites

FILM = "http://vod.example/film/1.m3u8?token=a%2Fb"
TOKEN = "a-token-for-tests-only"


def ask(router: MemoryRouter, url: str = FILM, more: str = "", **how: Any) -> MemoryExchange:
    return router.ask(
        f"/v1/locate?url={quote(url, safe='')}{more}", **{"host": "api.example", **how}
    )


def test_a_url_without_a_path_may_have_a_slash_in_its_query() -> None:
    answer = ask(memory_router(), "http://vod.example?back=http:/%hput")
    assert answer.status == 200
    first = json.loads(answer.body)["locations"][0]
    assert first["url"] == first["base_url"] + "/?back=http:/%hput"


def test_the_places_come_in_order() -> None:
    router = memory_router()
    answer = ask(router)
    found = json.loads(answer.body)
    assert answer.status == 200
    assert answer.fields["content-type"] == "application/json"
    assert answer.fields["cache-control"] == "no-store"
    assert answer.fields["access-control-allow-origin"] == "*"
    assert (found["class"], found["ttl_s"], found["expires"]) == (
        "vod",
        30.0,
        "2027-01-15T08:00:30Z",
    )
    places = found["locations"]
    assert [one["site"] for one in places] == ["north", "north", "south", "south", "elsewhere"]
    assert places[0]["url"] == places[0]["base_url"] + "/film/1.m3u8?token=a%2Fb"
    assert places[-1] == {
        "base_url": "https://cdn.example.net/headrace",
        "url": "https://cdn.example.net/headrace/film/1.m3u8?token=a%2Fb",
        "site": "elsewhere",
        "server": None,
        "weight": 0.0,
        "spare": False,
    }


def test_the_first_place_is_where_a_redirect_leads() -> None:
    router = memory_router()
    for client in (NORTH, SOUTH):
        first = json.loads(ask(router, client=client).body)["locations"][0]["url"]
        redirect = router.ask("/film/1.m3u8?token=a%2Fb", client=client)
        assert first == redirect.fields["location"]


def test_a_url_with_tls_is_found_with_tls() -> None:
    topology = two_sites()
    external = replace(topology.sites[3], base_url="http://cdn.example.net")
    router = memory_router(replace(topology, sites=(*topology.sites[:3], external)))
    places = json.loads(ask(router, FILM.replace("http:", "https:")).body)["locations"]
    assert all(one["base_url"].startswith("https://") for one in places)
    assert [one["server"] for one in places if one["server"] is None] == []


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("", 400),
        ("/film/1", 400),
        ("ftp://vod.example/film", 400),
        ("javascript:alert(1)", 400),
        ("http://", 400),
        ("http://user@vod.example/", 400),
        ("http://vod.example:99999/", 400),
        ("http://vod.example/a#b", 400),
        ("http://vod.example/a\r\nx: y", 400),
        ("http://vod.example/\u20ac", 400),
        ("http://vod.example/" + "a" * 5000, 400),
        ("http://evil.example/film", 404),
        ("http://vod.example.evil.example/film", 404),
    ],
)
def test_a_url_that_is_none_of_the_networks_is_refused(url: str, status: int) -> None:
    answer = ask(memory_router(), url)
    assert answer.status == status
    assert answer.fields["content-type"] == "application/problem+json"
    assert answer.fields["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("query", ["", "url", "url=%ff", "%", "a&" * 100, "x=\x80"])
def test_a_query_that_is_none_is_refused(query: str) -> None:
    assert memory_router().ask(f"/v1/locate?{query}", host="api.example").status == 400


def test_with_nothing_left_it_says_when_to_ask_again() -> None:
    topology = two_sites()
    closed = replace(topology, classes=(replace(topology.classes[0], external=False),))
    failed = {server.name: ServerView(ServerState.FAILED) for server in topology.servers}
    answer = ask(memory_router(closed, View(servers=failed)))
    assert (answer.status, answer.fields["retry-after"]) == (503, "5")


def test_the_api_has_its_hosts() -> None:
    router = memory_router(api_hosts=["api.example"])
    assert ask(router).status == 200
    assert ask(router, host="vod.example").status == 302, "content, like any path"
    assert ask(router, host="evil.example").status == 404
    assert memory_router().ask("/v1/locate/more", host="vod.example").status == 302
    assert ask(router, covers=("other.example",)).status == 421


def test_the_whole_url_of_the_api_is_the_api_too() -> None:
    router = memory_router(api_hosts=["api.example"])
    query = f"?url={quote(FILM, safe='')}"
    for target, host, status in (
        ("http://api.example/v1/locate", "api.example", 200),
        ("HTTP://API.example:80/x/../v1/locate", "api.example", 200),
        ("http://vod.example/v1/locate", "vod.example", 302),
        ("http://vod.example/x/v1/locate", "vod.example", 302),
        ("http://api.example/v1/locate", "vod.example", 400),
        ("ftp://api.example/v1/locate", "api.example", 400),
    ):
        found = router.ask(target + query, host=host)
        assert found.status == status, target
        if status == 200:
            assert found.body == ask(router).body


def test_only_reading_is_offered() -> None:
    router = memory_router()
    assert ask(router, method="POST").fields["allow"] == "GET, HEAD, OPTIONS"
    assert ask(router, method="HEAD").status == 200
    assert ask(router, method="OPTIONS").fields["access-control-allow-methods"] == "GET, HEAD"


def test_how_it_was_decided_is_for_those_allowed() -> None:
    router = memory_router(debug={"networks": ["192.0.2.0/24"], "token": TOKEN})
    shown = json.loads(ask(router, more="&debug").body)
    assert (shown["reason"], shown["coverage"], shown["client"]) == ("coverage", "a", NORTH)
    assert [step["step"] for step in shown["steps"]][:2] == ["client", "coverage"]
    assert ask(router, more="&debug", client=SOUTH).status == 403
    assert ask(router, more=f"&debug&client={NORTH}", client=SOUTH).status == 403
    other = json.loads(ask(router, more=f"&debug&client={SOUTH}").body)
    assert (other["coverage"], other["client"]) == ("b", SOUTH)
    assert ask(router, more="&debug&client=nobody").status == 400
    assert router.ask("/film?headrace-debug").status == 200
    assert router.ask("/film?headrace-debug", client=SOUTH).status == 403
    for scheme, status in (("Bearer", 200), ("bearer", 200), ("Basic", 403)):
        shows = ("Authorization", f"{scheme} {TOKEN}")
        assert router.ask("/film?headrace-debug", shows, client=SOUTH).status == status
    wrong = ("Authorization", f"Bearer {TOKEN}x")
    assert router.ask("/film?headrace-debug", wrong, client=SOUTH).status == 403


def test_the_decision_for_another_client_is_shown() -> None:
    router = memory_router(debug={"networks": ["192.0.2.0/24"]})
    shown = json.loads(ask(router, more=f"&debug&client={SOUTH}").body)
    assert (shown["client"], shown["coverage"]) == (SOUTH, "b")
    assert ask(router, more="&debug&client=x").status == 400
    assert ask(router, more=f"&debug&client={NORTH}", client=SOUTH).status == 403


def test_for_others_nobody_asks_without_debug() -> None:
    router = memory_router()
    assert ask(router, more=f"&client={SOUTH}").body == ask(router).body


def test_nobody_is_allowed_unless_it_is_configured() -> None:
    router = memory_router()
    assert ask(router, more="&debug").status == 403
    answer = router.ask("/film?headrace-debug")
    assert answer.status == 302
    assert answer.fields["location"].endswith("/film?headrace-debug")


def test_a_forged_address_does_not_open_the_debug_answer() -> None:
    router = memory_router(debug={"networks": ["192.0.2.0/24"]}, trusted_proxies=["10.0.0.0/8"])
    forged = ("X-Forwarded-For", NORTH)
    assert router.ask("/film?headrace-debug", forged, client=SOUTH).status == 403
    assert router.ask("/film?headrace-debug", forged, client="10.0.0.1").status == 200
    longer = ("X-Forwarded-For", f"{NORTH}, {SOUTH}")
    assert router.ask("/film?headrace-debug", longer, client="10.0.0.1").status == 403


def test_a_debug_question_is_answered_by_what_is_configured_now() -> None:
    router = memory_router()
    assert router.ask("/film?headrace-debug").status == 302
    opened = memory_router(debug={"networks": ["192.0.2.0/24"]})
    router.context.adopt(opened.context.config, opened.context.debug)
    assert router.ask("/film?headrace-debug").status == 200


def test_a_token_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    router = memory_router(debug={"token_file": str(file)})
    shows = ("Authorization", f"Bearer {TOKEN}")
    assert router.ask("/film?headrace-debug", shows).status == 200
    file.write_text("short")
    with pytest.raises(HeadraceError, match="shorter than 16 characters"):
        memory_router(debug={"token_file": str(file)})
    with pytest.raises(HeadraceError, match="cannot read the debug token"):
        memory_router(debug={"token_file": str(tmp_path / "none")})
