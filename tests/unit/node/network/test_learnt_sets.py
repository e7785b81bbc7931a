from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.node.network.learnt_sets import LearntSets, sources_of
from headrace.topology.learnt_document import LearntDocument, LearntError, decode_learnt
from headrace.topology.learnt_rules import LearntRules
from headrace.topology.model import AdminState, Coverage, Server, Site, SiteChoice, Topology
from headrace.topology.prefix_set import NO_PREFIXES, PrefixSet

RULES = LearntRules("a", "f", PrefixSet.of(["81.0.0.0/8"]), most=3, keep_s=100.0)
A1, A2 = (
    Server(name, "a", f"{name}.example", vip_listener_url=f"http://{name}.example:8093")
    for name in ("a1", "a2")
)
TOPOLOGY = Topology(
    sites=(Site("a"), Site("b")),
    servers=(A1, A2, Server("b1", "b", "b1.example", vip_listener_url="http://b1.example:8093")),
    coverage=(Coverage("at-a", (SiteChoice("a"),), learnt=RULES),),
    name="net",
)


def says(server: Server, *prefixes: str, coverage: str = "at-a") -> LearntDocument:
    return LearntDocument(server.name, "net", "d", {coverage: prefixes})


def wanted(sets: LearntSets, now_s: float, present: str = "") -> set[str] | None:
    known = PrefixSet.of(present.split()) if present else NO_PREFIXES
    found = list(sets.wanted(TOPOLOGY, lambda _coverage: known, now_s))
    return {str(each) for each in found[0][1]} if found else None


def test_a_prefix_of_any_server_counts_and_one_that_all_lost_does_not() -> None:
    sets = LearntSets()
    sets.offer(A1, says(A1, "81.1.0.0/16", "81.2.0.0/16"), TOPOLOGY, 1.0)
    sets.offer(A2, says(A2, "81.1.0.0/16"), TOPOLOGY, 1.0)
    assert wanted(sets, 2.0) == {"81.1.0.0/16", "81.2.0.0/16"}
    sets.offer(A1, says(A1, "81.1.0.0/16"), TOPOLOGY, 3.0)
    assert wanted(sets, 4.0) == {"81.1.0.0/16"}


def test_until_all_were_heard_what_was_known_stays() -> None:
    sets = LearntSets()
    assert wanted(sets, 1.0, "81.9.0.0/16") == {"81.9.0.0/16"}
    sets.offer(A1, says(A1, "81.1.0.0/16"), TOPOLOGY, 1.0)
    assert wanted(sets, 2.0, "81.9.0.0/16") == {"81.1.0.0/16", "81.9.0.0/16"}
    sets.unchanged(A1, 99.0)
    assert wanted(sets, 101.0, "81.9.0.0/16") == {"81.1.0.0/16"}


def test_coverage_that_is_new_in_the_description_keeps_what_its_file_has() -> None:
    sets = LearntSets()
    for server in (A1, A2):
        sets.offer(server, says(server, "81.1.0.0/16"), TOPOLOGY, 1.0)
    renamed = replace(TOPOLOGY.coverage[0], name="renamed")
    later = replace(TOPOLOGY, coverage=(renamed,))
    sets.forget(later)
    known = PrefixSet.of(["81.1.0.0/16"])
    assert list(sets.wanted(later, lambda _: known, 10_000.0)) == [(renamed, known)]


def test_a_server_that_is_silent_for_long_counts_no_more() -> None:
    sets = LearntSets()
    for server in (A1, A2):
        sets.offer(server, says(server, f"81.{server.name[1]}.0.0/16"), TOPOLOGY, 1.0)
    sets.unchanged(A1, 50.0)
    assert wanted(sets, 100.0) == {"81.1.0.0/16", "81.2.0.0/16"}
    assert wanted(sets, 102.0) == {"81.1.0.0/16"}
    assert wanted(sets, 200.0) == set()


def test_nonsense_of_a_server_is_counted_and_not_taken() -> None:
    sets = LearntSets()
    document = says(A1, "0.0.0.0/0", "82.0.0.0/16", "81.1.0.0/16", "::ffff:83.0.0.0/112")
    for _ in range(2):
        sets.offer(A1, document, TOPOLOGY, 1.0)
    sets.offer(A2, says(A2), TOPOLOGY, 1.0)
    assert wanted(sets, 2.0) == {"81.1.0.0/16"}
    assert sets.refused == {"default-route": 1, "not-within": 2}
    assert sets.first["default-route"] == "0.0.0.0/0 of a1"


def test_too_many_change_nothing() -> None:
    sets = LearntSets()
    sets.offer(A1, says(A1, "81.1.0.0/16"), TOPOLOGY, 1.0)
    sets.offer(A2, says(A2, "81.1.0.0/16"), TOPOLOGY, 1.0)
    flood = [f"81.0.{number}.0/24" for number in range(4)]
    sets.offer(A1, says(A1, *flood), TOPOLOGY, 2.0)
    assert wanted(sets, 3.0) == {"81.1.0.0/16"}
    assert sets.refused == {"too-many": 4}
    sets.offer(A1, says(A1, *flood[:3]), TOPOLOGY, 4.0)
    assert wanted(sets, 5.0) is None  # together they are too many: the file stays
    assert "4 prefixes" in sets.first["too-many"]


def test_a_document_that_cannot_be_read_is_refused_whole() -> None:
    sets = LearntSets()
    sets.offer(A1, says(A1, "81.1.0.0/16"), TOPOLOGY, 1.0)
    with pytest.raises(LearntError, match="not a prefix"):
        sets.offer(A1, says(A1, "81.2.0.0/16", "junk"), TOPOLOGY, 2.0)
    sets.offer(A2, says(A2), TOPOLOGY, 2.0)
    assert wanted(sets, 3.0) == {"81.1.0.0/16"}


def test_a_server_says_nothing_of_coverage_that_is_not_its_own() -> None:
    other = Server("b1", "b", "b1.example", vip_listener_url="http://b1.example:8093")
    sets = LearntSets()
    sets.offer(other, says(other, "81.1.0.0/16"), TOPOLOGY, 1.0)
    for server in (A1, A2):
        sets.offer(server, says(server), TOPOLOGY, 1.0)
    assert wanted(sets, 2.0) == set()


def test_coverage_that_a_server_does_not_know_yet_is_not_empty() -> None:
    sets = LearntSets()
    sets.offer(A1, says(A1, coverage="former"), TOPOLOGY, 1.0)
    sets.offer(A2, says(A2, coverage="former"), TOPOLOGY, 1.0)
    assert wanted(sets, 2.0, "81.9.0.0/16") == {"81.9.0.0/16"}


def test_withdrawn_servers_and_other_sites_are_not_asked() -> None:
    assert [one.name for one in sources_of(TOPOLOGY)] == ["a1", "a2"]
    away = replace(A1, state=AdminState.WITHDRAWN)
    assert sources_of(replace(TOPOLOGY, servers=(away,))) == []
    nobody = list(LearntSets().wanted(replace(TOPOLOGY, servers=(away,)), lambda _: NO_PREFIXES, 1))
    assert nobody == []  # the file is somebody else's


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"server":"a1","coverage":{"at-a":["x"]}}', "malformed"),
        (b'{"server":"a1","coverage":{"at-a":[1]}}', "malformed"),
        (b'{"server":"a2"}', "other-server"),
        (b'{"server":"a1","network":"another"}', "other-network"),
        (b" " * (16 * 1024**2 + 1), "too-large"),
    ],
)
def test_documents_that_are_refused(data: bytes, kind: str) -> None:
    with pytest.raises(LearntError) as caught:
        decode_learnt(data, "a1", "net")
    assert caught.value.kind == kind
