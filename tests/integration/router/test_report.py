"""What a router says of its load: whom it sent where."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headrace.telemetry.load_report import LoadReport, decode_report
from tests.harness.polling import eventually
from tests.harness.router import NORTH, SOUTH, Router


@pytest.fixture
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    with Router(tmp_path_factory.mktemp("router")) as running:
        running.write()
        running.start()
        yield running


def report_of(router: Router) -> LoadReport:
    answer = router.ask("GET", "/report")
    assert answer.status == 200
    return decode_report(answer.body, node="router-1")


def test_decisions_are_told_by_coverage_class_and_site(router: Router) -> None:
    report_of(router)
    for number in range(30):
        router.location(f"/film/{number}.m4s", SOUTH)
    for number in range(10):
        router.location(f"/film/{number}.m4s", NORTH)
    found: list[LoadReport] = []

    def told() -> bool:
        found.append(report_of(router))
        return bool(found[-1].decisions)

    eventually(told, "decisions are told")
    report = found[-1]
    assert report.role == "router"
    counted = {
        coverage: {site: round(rate * report.interval_s) for site, rate in sites["vod"].items()}
        for coverage, sites in report.decisions.items()
    }
    assert counted == {"b": {"south": 30}, "a": {"north": 10}}
    assert report.requests_per_s * report.interval_s == pytest.approx(40)
    assert report.flows == {}
