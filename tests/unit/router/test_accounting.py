"""What a router notes of each answer, and what those see who watch it."""

from __future__ import annotations

import msgspec

from tests.harness.memory_router import NORTH, memory_router


def test_while_no_one_watches_nothing_is_kept() -> None:
    router = memory_router()
    router.ask("/film/1.m4s")
    watch = router.accounting.watch
    assert not watch.active
    assert watch.figures(0.0).services == {}


def test_a_follower_sees_the_class_and_the_server_and_no_query() -> None:
    router = memory_router()
    watch = router.accounting.watch
    watch.follow(1, 'server != "" or status == 404', 100, 1.0, 0.0)
    answer = router.ask("/film/1.m4s?token=x")
    router.ask("/film/1.m4s?token=x", method="HEAD")
    router.ask("/nothing", host="nothing.example")
    found = [msgspec.json.decode(line) for line in watch.follow(1, "", 1, 1.0, 0.0).lines]
    sent = answer.fields["location"].removeprefix("http://").partition(".")[0]
    assert [(one["service"], one.get("server", ""), one["path"]) for one in found] == [
        ("vod", sent, "/film/1.m4s"),
        ("vod", sent, "/film/1.m4s"),
        ("", "", "/nothing"),
    ]
    assert all("query" not in one and one["cache"] == "" for one in found)


def test_figures_have_classes_and_objects_that_are_content() -> None:
    router = memory_router()
    watch = router.accounting.watch
    watch.figures(0.0)
    for _time in range(3):
        router.ask("/film/1.m4s?a", client=NORTH)
        router.ask("/film/1.m4s?b")
    router.ask("/nothing", host="nothing.example")
    found = watch.figures(10.0)
    assert {name: one.requests for name, one in found.services.items()} == {"vod": 6, "": 1}
    assert [(one.service, one.url, one.count) for one in found.objects] == [
        ("vod", "vod.example/film/1.m4s", 6)
    ]
