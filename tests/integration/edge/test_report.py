"""What an edge says of its load to those who steer the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.telemetry.load_report import LoadReport, decode_report
from tests.harness.bodies import Body
from tests.harness.edge import Edge, running_edge
from tests.harness.origin import Origin
from tests.harness.polling import eventually
from tests.harness.replies import cacheable
from tests.harness.sites import RunningSite, running_site

SMALL = Body(8, 20_000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Origin, RunningSite]]:
    directory = tmp_path_factory.mktemp("site")
    with (
        Origin() as origin,
        running_site(origin.url, directory, ("one", "two"), settings={"workers": 2}) as found,
    ):
        yield origin, found


def report_of(edge: Edge, node: str) -> LoadReport:
    answer = edge.ask_admin("GET", "/report")
    assert answer.status == 200, answer.body
    return decode_report(answer.body, node=node)


def flows_of(edge: Edge, node: str) -> LoadReport:
    """Return the first report in which there are flows."""
    found: list[LoadReport] = []

    def told() -> bool:
        found.append(report_of(edge, node))
        return bool(found[-1].flows)

    eventually(told, "flows are told")
    return found[-1]


def test_it_tells_what_clients_got_by_coverage_and_class(
    site: tuple[Origin, RunningSite],
) -> None:
    origin, servers = site
    origin.serve("/counted", cacheable(SMALL))
    owner, other = servers.order("/counted")
    for name in (owner, other):
        edge = servers.edges[name]
        report_of(edge, name)
        with servers.client(name) as client:
            for number in range(40):
                asked = ("CMCD-Status", "bs") if number % 2 else ("CMCD-Request", "mtp=2500")
                assert client.get("/counted", asked).body == SMALL.read()
        found = flows_of(edge, name)
        # What the other server asked this one for is no demand of clients.
        flow = found.flows["all"]["objects"]
        assert flow.requests_per_s * found.interval_s == pytest.approx(40)
        assert flow.bps * found.interval_s / 8 > 40 * len(SMALL)
        # The same rate, added up in another order.
        assert found.egress_bps >= flow.bps * (1 - 1e-9)
        assert found.shards["objects"]["/counted"] == pytest.approx(1.0)
        # One address does not speak for all players.
        players = found.players["all"]
        assert (players.reports, players.starved) == (8, 4)
        assert players.throughput_bps == pytest.approx(2_500_000, rel=0.2)
        assert found.ready
        assert found.first_byte is not None
        if name == owner:
            assert found.hits_per_s * found.interval_s == pytest.approx(39)
            assert found.origin_requests_per_s > 0
            assert found.origin_wait is not None
        else:
            assert found.siblings[owner].asked >= 1
            assert found.siblings[owner].failed == 0
            assert found.origin_requests_per_s == 0


def test_all_who_ask_within_a_moment_get_the_same(site: tuple[Origin, RunningSite]) -> None:
    _origin, servers = site
    edge = servers.edges["one"]

    def the_same() -> bool:
        first, second = report_of(edge, "one"), report_of(edge, "one")
        return second.interval_s == first.interval_s and second.age_s >= first.age_s

    eventually(the_same, "two ask within half a second")


def test_nobody_is_told_without_the_token(site: tuple[Origin, RunningSite]) -> None:
    _origin, servers = site
    assert servers.edges["one"].ask_admin("GET", "/report", token=None).status == 401
    assert servers.edges["one"].ask_admin("POST", "/report").status == 405


def test_a_token_for_reports_opens_nothing_else(tmp_path: Path) -> None:
    for_reports = "for-reports-" + "x" * 20
    (tmp_path / "reports.token").write_text(for_reports)
    admin = {"report_token_file": tmp_path / "reports.token"}
    with Origin() as origin, running_edge(origin.url, tmp_path, {"more_admin": admin}) as edge:
        for method, path, status in (
            ("GET", "/report", 200),
            ("GET", "/stats", 401),
            ("GET", "/metrics", 401),
            ("POST", "/drain", 401),
            ("POST", "/purge", 401),
            ("POST", "/report", 405),
        ):
            assert edge.ask_admin(method, path, token=for_reports).status == status, path
        assert edge.ask_admin("GET", "/report", token=for_reports + "y").status == 401


def test_an_edge_that_drains_says_so_and_one_of_no_network_has_no_flows(tmp_path: Path) -> None:
    with Origin() as origin, running_edge(origin.url, tmp_path, {"node_id": "alone"}) as edge:
        origin.serve("/x", cacheable(SMALL))
        report_of(edge, "alone")
        edge.get("/x")
        found = report_of(edge, "alone")
        assert (found.role, found.flows, found.shards) == ("edge", {}, {})
        assert found.ready
        edge.ask_admin("POST", "/drain")

        def drains() -> bool:
            found = report_of(edge, "alone")
            return (found.ready, found.draining) == (False, True)

        eventually(drains, "it says that it drains")
