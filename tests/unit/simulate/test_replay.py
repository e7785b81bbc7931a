from __future__ import annotations

import gzip
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.config.scenario.model import ScenarioConfig
from headrace.errors import HeadraceError
from headrace.simulate.comparison import comparison
from headrace.simulate.demand.access_logs import (
    Passed,
    Request,
    logs_of,
    read_logs,
)
from headrace.simulate.figures import figures_of
from headrace.simulate.network import Source
from headrace.simulate.replay import replay
from headrace.telemetry.access_line import AccessRecord, LineFormatter
from tests.harness.scenarios import a_network

CONFIG = ScenarioConfig(network=Path("network.toml"), length_s=2.0, interval_s=10.0)


def a_record(**fields: Any) -> AccessRecord:
    values: dict[str, Any] = {
        "started": 1_800_000_000.5, "request_id": "r", "service": "s", "client": "192.0.2.7",
        "method": b"GET", "host": b"vod.example", "path": b"/film/1", "query": None, "status": 200,
        "bytes_sent": 1000, "duration_s": 0.1, "first_byte_s": 0.01, "cache": "hit",
        "age_s": None, "range": None, "protocol": "HTTP/1.1", "tls": None, "user_agent": None,
        "referer": None,
    }  # fmt: skip
    return AccessRecord(**{**values, **fields})


def a_log(path: Path, *records: AccessRecord, before: bytes = b"") -> Path:
    lines = before + b"".join(LineFormatter().line(record) for record in records)
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    return path


def test_lines_as_edges_write_them_are_read_with_the_network_of_their_client(
    tmp_path: Path,
) -> None:
    passed = Passed()
    found = list(read_logs([a_log(tmp_path / "access.log", a_record())], passed))
    assert found == [
        Request(
            1_800_000_000.5, bytes([192, 0, 2, 0]), b"vod.example", b"/film/1", 1000, stored=True
        )
    ]
    assert passed == Passed()


def test_what_is_no_request_of_a_client_that_was_served_is_passed_over(tmp_path: Path) -> None:
    passed = Passed()
    path = a_log(
        tmp_path / "access.log",
        a_record(peer="north/n1"),
        a_record(user_agent=b"headrace-probe"),
        a_record(user_agent=b"headrace-check"),
        a_record(user_agent=b"a player that probes"),
        a_record(status=503),
        a_record(method=b"POST"),
        a_record(path=b"/wanted"),
        before=b'not JSON\n{"time": 5}\n\xff\xfe\n\n' + b"[" * 2000 + b"\n",
    )
    assert [one.path for one in read_logs([path], passed)] == [b"/film/1", b"/wanted"]
    assert passed == Passed(unreadable=5, of_servers=1, of_probes=2, failed=2)


def test_several_logs_are_read_in_order_of_time_and_compressed_ones_too(tmp_path: Path) -> None:
    def at(second: int) -> AccessRecord:
        return a_record(started=1_800_000_000.0 + second, path=b"/%d" % second)

    a_log(tmp_path / "access.log", at(1), at(3), at(5))
    a_log(tmp_path / "access.2.log.gz", at(2), at(4))
    paths = logs_of([str(tmp_path / "access*")])
    assert [one.path for one in read_logs(paths, Passed())] == [b"/%d" % n for n in range(1, 6)]


def test_time_never_goes_back(tmp_path: Path) -> None:
    records = [a_record(started=1_800_000_000.0 + second) for second in (5, 3, 9)]
    times = [one.at for one in read_logs([a_log(tmp_path / "a.log", *records)], Passed())]
    assert times == sorted(times)


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_a_log_of_any_bytes_is_read_to_its_end(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "access.log"
        path.write_bytes(content)
        passed = Passed()
        assert list(read_logs([path], passed)) == []
        whole, last = content.count(b"\n"), content.rpartition(b"\n")[2]
        assert passed.unreadable == whole + bool(last)


def test_logs_that_are_not_there_are_named() -> None:
    with pytest.raises(HeadraceError, match="nowhere"):
        logs_of(["/nowhere/access*.log"])


def some_requests(count: int = 400) -> list[Request]:
    return [
        Request(
            float(number) / 4, bytes([192, 0, 2, 0]), b"vod.example", b"/film%d/1" % (number % 40),
            100_000, stored=True,
        )
        for number in range(count)
    ]  # fmt: skip


def test_against_itself_a_network_moves_nothing() -> None:
    network = a_network()
    (one, other), moves = replay(CONFIG, [network, network], some_requests())
    assert (moves.to_another_site, moves.to_another_server) == (0, 0)
    assert moves.requests == one.totals.requests == 400
    assert one.totals == other.totals
    assert one.totals.by_source[Source.HIT] == 360


def test_a_network_without_the_site_moves_its_clients_to_the_next() -> None:
    network = a_network()
    servers = tuple(one for one in network.servers if one.site != "north")
    less = replace(network, servers=servers)
    (before, after), moves = replay(CONFIG, [network, less], some_requests())
    assert moves.to_another_site == 400
    assert len(moves.moved_clients) == len(moves.clients) == 1
    assert before.totals.site_client_bytes["north"] == after.totals.site_client_bytes["south"] > 0


def test_one_more_server_moves_its_share_of_the_shards_and_nothing_else() -> None:
    three, four = a_network(3), a_network(4)
    four = replace(four, servers=tuple(one for one in four.servers if one.name != "s4"))
    (before, after), moves = replay(CONFIG, [three, four], some_requests())
    assert moves.to_another_site == 0
    assert 0 < moves.to_another_server < 200
    assert after.totals.requests == before.totals.requests


def test_what_was_not_stored_is_not_stored_here() -> None:
    requests = [replace(one, stored=False) for one in some_requests()]
    (result,), _moves = replay(CONFIG, [a_network()], requests)
    assert result.totals.origin_requests == 400


def test_load_is_measured_over_intervals_and_over_quiet_ones() -> None:
    requests = [*some_requests(40), replace(some_requests(1)[0], at=1000.0)]
    (result,), _moves = replay(CONFIG, [a_network()], requests)
    assert len(result.series.at_s) == 101
    assert result.series.requests[0] == 4.0
    assert result.series.requests[50] == 0.0


def test_a_comparison_says_what_would_be_otherwise() -> None:
    network = a_network()
    tight = replace(
        network, servers=tuple(replace(one, storage_bytes=10**6) for one in network.servers)
    )
    results, moves = replay(CONFIG, [network, tight], some_requests())
    before, after = (figures_of(one, {}, 0.0, 1.0) for one in results)
    text = "\n".join(comparison(before, after, moves))
    assert f"{before.origin_requests:,}" in text
    assert f"{after.origin_requests:,}" in text
    assert after.origin_requests > before.origin_requests
    for name in ("north", "cost", "0 of 1 client networks"):
        assert name in text


NETWORK = """
[[network]]
name = "isp"
prefixes = ["192.0.2.0/24"]
[[site]]
name = "north"
[[server]]
name = "n1"
site = "north"
host = "n1.example"
ipv4 = ["198.51.100.1"]
storage = "1GB"
[[coverage]]
name = "all"
networks = ["isp"]
sites = [{ name = "north" }]
[[class]]
name = "vod"
hosts = ["vod.example"]
"""
SCENARIO = """
network = "network.toml"
length = "5m"
[[audience]]
network = "isp"
viewers = 20
[[catalogue]]
name = "films"
host = "vod.example"
titles = 10
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "network.toml").write_text(NETWORK)
    (tmp_path / "scenario.toml").write_text(SCENARIO)
    return tmp_path


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["simulate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_prints_a_summary_and_writes_report_and_tables(directory: Path) -> None:
    text = invoke(
        directory / "scenario.toml", "--report", directory / "r.html", "--csv", directory / "csv"
    )
    assert "north" in text
    assert (directory / "r.html").read_text().startswith("<!doctype html>")
    assert (directory / "csv" / "sites.csv").exists()


def test_the_command_compares_with_figures_that_it_wrote_before(directory: Path) -> None:
    scenario = directory / "scenario.toml"
    (directory / "before.json").write_text(invoke(scenario, "--json"))
    assert "before" in invoke(scenario, "--against", directory / "before.json")
    figures = json.loads((directory / "before.json").read_text())
    assert figures["requests"] > 0
    assert json.loads(invoke(scenario, "--json", "--seed", 2)) != figures


def test_the_command_replays_logs_against_two_networks(directory: Path) -> None:
    records = [a_record(path=b"/film%d" % number) for number in range(5)]
    a_log(directory / "access.log", *records)
    network = directory / "network.toml"
    text = invoke("--network", network, "--against", network, "--log", directory / "acc*.log")
    assert "0 of 1 client networks" in text


def test_a_wrong_scenario_is_refused_with_its_line(directory: Path) -> None:
    path = directory / "scenario.toml"
    path.write_text(SCENARIO.replace("viewers = 20", "viewers = 0"))
    result = CliRunner().invoke(app, ["simulate", str(path)])
    assert isinstance(result.exception, HeadraceError)
    assert "scenario.toml:6" in str(result.exception)


def test_figures_that_are_none_are_refused(directory: Path) -> None:
    (directory / "before.json").write_text("{}")
    result = CliRunner().invoke(
        app,
        ["simulate", str(directory / "scenario.toml"), "--against", str(directory / "before.json")],
    )
    assert isinstance(result.exception, HeadraceError)


def test_objects_that_come_to_another_server_are_counted_once() -> None:
    three, four = a_network(3), a_network(4)
    four = replace(four, servers=tuple(one for one in four.servers if one.name != "s4"))
    _results, moves = replay(CONFIG, [three, four], some_requests())
    # Each of the 40 objects is asked for ten times.
    assert moves.bytes == 40 * 100_000
    assert moves.moved_bytes == moves.to_another_server // 10 * 100_000 > 0
    _results, moves = replay(CONFIG, [three, three], some_requests())
    assert moves.moved_bytes == 0


def test_what_is_above_capacity_is_waited_for_in_a_replay_too() -> None:
    network = a_network(1)
    slow = replace(
        network, servers=tuple(replace(one, capacity_bps=1_600_000) for one in network.servers)
    )
    (before, after), _moves = replay(CONFIG, [network, slow], some_requests())
    assert figures_of(before, {}, 0.0, 0.0).rebuffering == 0.0
    # 4 requests of 100 kB a second are 3.2 Mbit/s.
    assert figures_of(after, {}, 0.0, 0.0).rebuffering == pytest.approx(0.5)


def test_a_comparison_has_the_sites_that_change_before_and_after() -> None:
    three, four = a_network(3), a_network(4)
    four = replace(four, servers=tuple(one for one in four.servers if one.name != "s4"))
    small = [
        replace(one, servers=tuple(replace(of, capacity_bps=10**7) for of in one.servers))
        for one in (three, four)
    ]
    results, moves = replay(CONFIG, small, some_requests())
    before, after = (figures_of(one, {"north": 2.0}, 0.0, 0.0) for one in results)
    lines = list(comparison(before, after, moves))
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 90
    for words in ("cost of sites", "fullest server", "of objects", "sites as before"):
        assert words in text
    assert [line.split()[:2] for line in lines if line.startswith("north")] == [["north", "before"]]
    assert not any(line.startswith("south") for line in lines)


def test_how_far_logs_are_read_is_known(tmp_path: Path) -> None:
    paths = [
        a_log(tmp_path / name, *(a_record(path=b"/%d" % number) for number in range(3000)))
        for name in ("access.log", "access.2.log.gz")
    ]
    passed = Passed()
    assert len(list(read_logs(paths, passed))) == 6000
    size_bytes = sum(path.stat().st_size for path in paths)
    assert 0.6 * size_bytes < passed.read_bytes <= size_bytes


@pytest.mark.parametrize("option", ["--log", "--against"])
def test_variants_beside_something_else_to_compare_are_refused(
    directory: Path, option: str
) -> None:
    path = directory / "scenario.toml"
    path.write_text(SCENARIO + '[[variant]]\nname = "one"\nedges = { eviction = "lru" }\n')
    result = CliRunner().invoke(
        app, ["simulate", str(path), option, str(directory / "network.toml")]
    )
    assert isinstance(result.exception, HeadraceError)
    assert option in str(result.exception)


def test_logs_without_a_request_are_refused(directory: Path) -> None:
    (directory / "access.log").write_text('127.0.0.1 - - "GET / HTTP/1.0" 200 2326\n')
    result = CliRunner().invoke(
        app,
        [
            "simulate", "--network", str(directory / "network.toml"),
            "--log", str(directory / "access.log"), "--json",
        ],
    )  # fmt: skip
    assert isinstance(result.exception, HeadraceError)
    assert "1 lines are none of an access log" in result.output
