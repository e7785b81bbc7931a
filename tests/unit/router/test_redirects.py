"""Redirects: by coverage, with path and query as they are, and never elsewhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.harness.memory_router import NORTH, SOUTH, memory_router


def site_of(location: str) -> str:
    return {"n": "north", "s": "south"}[str(urlsplit(location).hostname)[0]]


def test_a_client_is_sent_to_the_site_of_its_network() -> None:
    router = memory_router()
    north = router.ask("/film/1.m4s", client=NORTH)
    south = router.ask("/film/1.m4s", client=SOUTH)
    assert (north.status, south.status) == (302, 302)
    assert site_of(north.fields["location"]) == "north"
    assert site_of(south.fields["location"]) == "south"


def test_the_same_question_has_the_same_answer() -> None:
    router = memory_router()
    answers = {router.ask("/film/1.m4s").fields["location"] for _ in range(10)}
    assert len(answers) == 1
    assert memory_router().ask("/film/1.m4s").fields["location"] in answers
