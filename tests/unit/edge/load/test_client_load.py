"""What clients get is counted by who they are and what they asked for, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.edge.hot import ReadyHit
from headrace.edge.load.client_load import MOST_OF_ONE, MOST_REPORTS, ClientLoad
from headrace.edge.service.resource import Resource, Resources
from headrace.edge.service.services import compile_services
from headrace.http.parser import HeadLimits, RequestHead, RequestParser
from headrace.http.server.exchange import NO_FLOWS
from headrace.telemetry.flows import Pair, unpacked
from headrace.telemetry.load_report import OTHER
from headrace.telemetry.metrics import WorkerMetrics
from headrace.telemetry.worker_load import GetLoad
from headrace.topology.classify import Classified
from headrace.topology.coverage import CoverageTable
from headrace.topology.model import ContentClass, Coverage, SiteChoice, Topology
from headrace.topology.prefix_set import PrefixSet
from headrace.topology.snapshot import NetworkSnapshot

VOD = ContentClass("vod")


def network(*, default: bool = True) -> NetworkSnapshot:
    sites = (SiteChoice("here"),)
    prefixes = PrefixSet.of(["192.0.2.0/24", "2001:db8::/32"])
    topology = Topology(
        coverage=(
            Coverage("isp", sites, prefixes=prefixes),
            Coverage("rest", sites, default=default),
        )
    )
    return NetworkSnapshot(topology, "v1", CoverageTable(topology))


def resource(path: bytes = b"/film") -> Resource:
    return cast(Resource, SimpleNamespace(path=path))


def classify(one: Resource) -> Classified | None:
    return None if one.path == b"/else" else Classified(VOD, one.path)


def entry(path: bytes = b"/film") -> Any:
    return SimpleNamespace(content=None, resource=resource(path))


def exchange(address: str) -> Any:
    return SimpleNamespace(address=address, flows=NO_FLOWS)


def told(load: ClientLoad) -> dict[Pair, tuple[int, int]]:
    answer = load.answer(GetLoad(), WorkerMetrics())
    numbers = unpacked(answer.flows)
    size = len(answer.pairs)
    return {pair: (numbers[at], numbers[size + at]) for at, pair in enumerate(answer.pairs)}


def head(line: bytes) -> RequestHead:
    return RequestParser(HeadLimits()).parse(b"GET / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n" % line)


@pytest.mark.parametrize(
    ("address", "coverage"),
    [
        ("192.0.2.9", "isp"),
        ("::ffff:192.0.2.9", "isp"),
        ("2001:db8::1", "isp"),
        ("198.51.100.1", "rest"),
        ("fe80::1%eth0", "rest"),
        ("", OTHER),  # a Unix socket
        ("nonsense", OTHER),
    ],
)
def test_a_client_is_of_its_coverage(address: str, coverage: str) -> None:
    load = ClientLoad(classify)
    load.adopt(network())
    load.count(address, resource(), 100)
    flow = load.flow_of(exchange(address), entry())
    flow.bytes += 50
    flow.requests += 1
    assert told(load) == {(coverage, "vod"): (150, 2)}


def test_a_hit_that_is_sent_as_it_stands_is_of_its_class() -> None:
    """What it was for is looked up for whoever counts it, and by what was in force then."""
    document = {
        "cache_dir": "/c",
        "listen": [{"address": "127.0.0.1:1"}],
        "service": [{"name": "s", "hosts": ["h"], "origins": ["http://o:1"]}],
    }
    services = compile_services(validate_document(document, EDGE, str, base=Path("/")))
    asked = RequestParser(HeadLimits()).parse(b"GET /film HTTP/1.1\r\nHost: h\r\n\r\n")
    hit = ReadyHit(services.all[0].tally, cast(Any, None), Resources(services), asked, False)
    load = ClientLoad(classify)
    load.adopt(network())
    flow = load.flow_of(exchange("192.0.2.9"), hit)
    flow.requests += 1
    load.sample(hit.resource, 7)
    assert (hit.content, hit.resource.path) == ("vod", b"/film")
    assert told(load) == {("isp", "vod"): (0, 1)}


def test_without_a_default_clients_of_no_coverage_are_told_as_others() -> None:
    load = ClientLoad(classify)
    load.adopt(network(default=False))
    load.count("198.51.100.1", resource(b"/else"), 1)
    assert told(load) == {(OTHER, OTHER): (1, 1)}


def test_another_description_begins_at_zero_and_a_new_view_does_not() -> None:
    load, first = ClientLoad(classify), network()
    assert not load.counting
    assert load.adopt(first)
    load.count("192.0.2.9", resource(), 100)
    before = load.answer(GetLoad(), WorkerMetrics())
    assert not load.adopt(first)
    assert load.answer(GetLoad(), WorkerMetrics()).table == before.table
    assert load.adopt(network())
    after = load.answer(GetLoad({before.table: 1}), WorkerMetrics())
    assert after.instance == before.instance
    assert (after.table != before.table, after.pairs_from, after.pairs) == (True, 0, [])


def test_a_connection_keeps_its_flows_until_there_is_another_description() -> None:
    load = ClientLoad(classify)
    load.adopt(network())
    client, film = exchange("192.0.2.9"), entry()
    flow = load.flow_of(client, film)
    assert client.flows.get(film.content) is flow
    assert client.flows.get(entry().content) is None  # the class is not known yet
    load.adopt(network())
    assert client.flows.get(film.content) is None
    again = load.flow_of(client, film)
    assert client.flows.get(film.content) is again is not flow
    assert not NO_FLOWS


def test_names_that_are_known_are_not_said_again() -> None:
    load = ClientLoad(classify)
    load.adopt(network())
    load.count("192.0.2.9", resource(), 1)
    table = load.answer(GetLoad(), WorkerMetrics()).table
    load.count("192.0.2.9", resource(b"/else"), 1)
    found = load.answer(GetLoad({table: 1, "another": 7}), WorkerMetrics())
    assert (found.pairs_from, found.pairs) == (1, [("isp", OTHER)])
    found = load.answer(GetLoad({table: 99}), WorkerMetrics())
    assert (found.pairs_from, len(found.pairs)) == (0, 2)


def test_players_are_told_once_and_nobody_speaks_for_all() -> None:
    load = ClientLoad(classify)
    load.adopt(network())
    for number in range(MOST_REPORTS * 2):
        load.player("192.0.2.9", head(b"CMCD-Status: bs"))
        load.player(f"198.51.100.{number % 200}", head(b"CMCD-Request: mtp=2500"))
    load.player("192.0.2.9", head(b"X-Other: bs"))
    players = load.answer(GetLoad(), WorkerMetrics()).players
    assert (players["isp"].reports, players["isp"].starved) == (MOST_OF_ONE, MOST_OF_ONE)
    assert 0 < players["rest"].reports <= MOST_REPORTS
    assert load.answer(GetLoad(), WorkerMetrics()).players == {}
