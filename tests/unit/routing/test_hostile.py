"""Whatever clients are and a view says: an answer, the same each time, and nobody who is gone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.routing.decide import Routing
from headrace.routing.explain import Step
from headrace.routing.question import Decision, Question
from headrace.topology.coverage import CoverageTable, client_of, plain_client
from headrace.topology.model import AdminState, ContentClass, Topology, Widening
from headrace.topology.placement import Placement
from headrace.topology.view import ServerState, ServerView, View
from tests.harness.networks import two_sites

NETWORK = two_sites(3)
CLASSES = (ContentClass("vod", widening=Widening()), ContentClass("own", external=False))
ODD = [
    "0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", "::", "::1", "::ffff:192.0.2.7",
    "::ffff:0.0.0.0", "ff02::1", "fe80::1%eth0", "2001:db8:a::1", "192.0.2.0", "203.0.113.255",
    "64:ff9b::192.0.2.1", "2002:c000:0204::1",
]  # fmt: skip
CLIENTS = (
    st.none()
    | st.sampled_from(ODD).map(lambda text: client_of(ip_address(text)))
    | st.binary(min_size=4, max_size=4)
    | st.binary(min_size=16, max_size=16).map(plain_client)
)
NAMES = [server.name for server in NETWORK.servers]
WEIGHTS = st.sampled_from([0.0, -0.0, 5e-324, 1e-300, 0.001, 1.0, 1e6]) | st.floats(0, 1e6)
SHARES = st.floats(0, 1) | st.sampled_from([0.0, 5e-324, 1.0])
SHARDS = st.sampled_from(["/a", "/b", "", "\xff", "€", "/" * 500])
VIEWS = st.builds(
    lambda servers, coverage, demand, widths: View(1, 1.0, servers, coverage, demand, widths),
    st.dictionaries(
        st.sampled_from([*NAMES, "nobody"]),
        st.builds(ServerView, st.sampled_from(ServerState), WEIGHTS),
    ),
    st.dictionaries(
        st.sampled_from(["a", "b", "others", "none"]),
        st.dictionaries(
            st.sampled_from(["north", "south", "elsewhere", "mid", "nowhere"]), WEIGHTS
        ),
    ),
    st.dictionaries(st.sampled_from(["vod", "own", "x"]), st.dictionaries(SHARDS, SHARES)),
    st.dictionaries(
        st.sampled_from(["vod", "own", "x"]),
        st.dictionaries(SHARDS, st.sampled_from([1, 2, 3, 4, 65536])),
    ),
)
STATES = st.lists(st.sampled_from(AdminState), min_size=len(NAMES), max_size=len(NAMES))
QUESTIONS = st.builds(
    Question,
    CLIENTS,
    st.sampled_from(CLASSES),
    st.sampled_from([b"", b"/a", b"/b", b"\xff", b"/" * 500]) | st.binary(max_size=40),
    st.sampled_from([None, True, False]),
    st.frozensets(st.sampled_from([*NAMES, "north", "south", "elsewhere", "\0", "x" * 1000])),
    st.integers(-1, 9),
)


def network(states: list[AdminState]) -> Topology:
    servers = tuple(
        replace(server, state=state) for server, state in zip(NETWORK.servers, states, strict=True)
    )
    return replace(NETWORK, servers=servers, classes=CLASSES)


def check(decision: Decision, question: Question, topology: Topology, view: View) -> None:
    usable = {
        server.name
        for server in topology.servers
        if server.state is not AdminState.WITHDRAWN
        and view.servers.get(server.name, ServerView()).state is not ServerState.FAILED
    }
    for each in decision.candidates:
        if each.server is None:
            assert question.content.external
            assert each.site.base_url
        else:
            assert each.server.name in usable
            assert each.server.site == each.site.name
            named = view.weights(question.content.name, decision.coverage)
            assert each.site.name != "mid" or "mid" in named
    names = [each.server.name if each.server else each.site.name for each in decision.candidates]
    assert len(set(names)) == len(names)
    if question.content.external or any(
        server.name in usable and server.site != "mid" for server in topology.servers
    ):
        assert decision.candidates
    client = question.client
    assert 0 <= decision.prefix_length <= (8 * len(client) if client else 0)


@settings(max_examples=60, deadline=None)
@given(STATES, VIEWS, st.lists(QUESTIONS, min_size=1, max_size=6))
def test_every_question_has_a_sound_answer(
    states: list[AdminState], view: View, questions: list[Question]
) -> None:
    topology = network(states)
    table = CoverageTable(topology)
    routing = Routing(topology, Placement(topology, view), table, None, view)
    answers = [routing.decide(question) for question in questions]
    for question, answer in zip(questions, answers, strict=True):
        check(answer, question, topology, view)
    # Of another process, asked in another order; and by one that came to the view from another.
    former = Placement(topology)
    former.prepare()
    for placement in (Placement(topology, view), Placement(topology, view, former)):
        other = Routing(topology, placement, table, None, view)
        steps: list[Step] = []
        for question, answer in reversed(list(zip(questions, answers, strict=True))):
            assert other.decide(question, steps) == answer
        assert steps
