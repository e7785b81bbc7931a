"""What strangers make a router remember is bounded in bytes, however much they ask."""

from __future__ import annotations

from headrace.router.context import HOSTS_BYTES
from headrace.router.sent import MEMORY_BYTES
from tests.harness.memory_router import memory_router


def test_redirects_are_remembered_when_they_are_asked_for_again() -> None:
    router = memory_router()
    for number in range(3):
        router.ask(f"/film/{number}")
    assert not router.context.sent[0].entries
    answers = [router.ask("/film/1").fields for _ in range(4)]
    assert len(router.context.sent[0].entries) == 1
    assert answers[0] == answers[3]


def test_long_urls_that_come_again_and_again_fill_no_more_than_their_memory() -> None:
    router = memory_router()
    for number in range(5_000):
        for _ in range(2):
            router.ask(f"/{number}?" + "a" * 900)
    sent = router.context.sent[0]
    kept = sum(len(target) + len(one.start) for (_a, _h, target), one in sent.entries.items())
    assert MEMORY_BYTES // 4 < kept < MEMORY_BYTES
    assert len(sent.entries) < 5_000


def test_hosts_that_differ_in_case_fill_no_more_than_theirs() -> None:
    router = memory_router(api_hosts=["api.example"])
    for number in range(2**11):
        name = "".join(
            letter.upper() if number >> place & 1 else letter
            for place, letter in enumerate("vod.example")
        )
        router.ask("/f", host=name)
    held = router.context.authorities[0]
    assert held.held_bytes <= HOSTS_BYTES


def test_nothing_is_remembered_over_a_change() -> None:
    router = memory_router()
    for _ in range(4):
        router.ask("/film/1")
    router.context.adopt(router.context.config, router.context.debug)
    assert not router.context.sent[0].entries


def test_a_method_that_is_not_redirected_is_refused_however_often_the_url_was_asked_for() -> None:
    router = memory_router()
    for _ in range(4):
        assert router.ask("/film/1").status == 302
        assert router.ask("/film/1", method="POST").status == 405


def test_addresses_and_hosts_fill_no_more_than_the_memory_of_askers() -> None:
    router = memory_router()
    for number in range(6_000):
        for _ in range(2):
            router.ask("/f", client=f"192.0.{number >> 8}.{number & 255}")
    askers = router.context.askers[0]
    assert 1_000 < len(askers.entries) <= 6_000
    assert askers.held_bytes <= askers.limit_bytes
