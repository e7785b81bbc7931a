"""Several runs as one row, and what is written of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headrace.config.drill.model import ExpectTable
from headrace.lab.drill.figures import Figures, Load
from headrace.lab.drill.picture import x_of
from headrace.lab.drill.report import REPORT_FILE, Report, read_report, write_report
from headrace.lab.drill.series import Drilled
from headrace.lab.drill.summary import Spread, spread, summarize, written_s
from headrace.lab.drill.tables import markdown_table, run_line, text_table
from headrace.lab.errors import LabError
from headrace.lab.network.losses import Lost


def figures(works_again_s: float | None, **changed: Any) -> Figures:
    values: dict[str, Any] = {
        "works_again_s": works_again_s,
        "lasted_s": works_again_s,
        "others_s": 0.0,
        "routed_s": works_again_s,
        "back_s": 4.0,
        "dns_s": None,
        "http_s": 0.5,
        "requests": 100,
        "failed": 3,
        "failed_others": 0,
        "failed_back": 0,
        "wrong": 0,
        "downloads": 2,
        "cut": 1,
        "cut_back": 0,
        "late_s": 0.01,
        "unjudged": 0,
        "load": {"oslo1": Load(100.0, 0.0), "oslo2": Load(10.0, 110.0)},
    }
    return Figures(**{**values, **changed})


def test_medians_and_the_worst() -> None:
    assert spread([0.3, 0.1, 0.2]) == Spread(0.2, 0.3)
    assert spread([0.1, 0.2, None]) == Spread(0.2, None, never=1)
    assert spread([0.1, None, None]) == Spread(None, None, never=2)
    assert spread([]) == Spread(None, None)


def test_what_was_hoped_for_and_came() -> None:
    runs = [figures(0.2), figures(0.4), figures(1.5)]

    found = summarize("a", "A", runs, ExpectTable(works_again_s=1.0, back_s=5.0, cut=1), True)

    assert found.missed == []
    assert (found.works_again.median_s, found.works_again.worst_s) == (0.4, 1.5)
    assert (found.runs, found.requests, found.failed) == (3, 300, 3)


def test_what_did_not_come() -> None:
    runs = [figures(2.0), figures(None), figures(None, wrong=2)]
    expect = ExpectTable(works_again_s=1.0, back_s=3.0, others_s=0.0, failed=0, cut=0)

    assert summarize("a", "A", runs, expect, True).missed == [
        "new connections work again after never, not 1.00 s",
        "VIPs are back after 4.00 s, not 3.00 s",
        "3 requests failed, not 0",
        "1 downloads ended early, not 0",
        "2 bodies were wrong",
    ]


def test_refused_runs_count_for_nothing_but_wrong_bytes() -> None:
    runs = [figures(0.1), figures(9.0, refused=["late"], wrong=1)]

    found = summarize("a", "A", runs, ExpectTable(works_again_s=1.0), True)

    assert (found.runs, found.refused, found.works_again.worst_s) == (1, 1, 0.1)
    assert found.missed == ["1 bodies were wrong"]


def test_a_run_that_did_not_end_is_missed() -> None:
    found = summarize("a", "A", [figures(0.1)], ExpectTable(), True, ["run 2: no end"])

    assert (found.runs, found.missed) == (1, ["run 2: no end"])
    assert summarize("a", "A", [], ExpectTable(), True, ["run 1: no end"]).missed == [
        "run 1: no end"
    ]


def test_no_run_could_be_judged() -> None:
    found = summarize("a", "A", [figures(0.1, refused=["late"])], ExpectTable(), True)

    assert found.missed == ["no run could be judged: the machine was too busy"]


def test_times_as_people_read_them() -> None:
    assert [written_s(one) for one in (None, 0.0, 0.012, 0.9999, 2.5)] == [
        "never",
        "0",
        "12 ms",
        "1.00 s",
        "2.50 s",
    ]


def test_tables() -> None:
    summary = summarize("a", "kill -9", [figures(0.2)], ExpectTable(), True)

    head, line = text_table([summary])
    assert head.split()[:3] == ["event", "works", "again"]
    assert line.split()[:4] == ["kill", "-9", "200", "ms"]
    assert markdown_table([summary])[2].startswith(
        "| kill -9 | 200 ms | 200 ms | 200 ms | 4.00 s |"
    )
    assert "; 3 of 100 requests failed: 3 to affected VIPs; " in run_line(1, figures(0.2))


def test_all_requests_that_failed_are_counted_with_whom_they_were_sent_to() -> None:
    counts = {"failed_others": 1, "failed_named": 2, "failed_back": 4}
    run = figures(0.2, outcomes={"reset": 4, "refused": 6}, **counts)
    assert (
        "; 10 of 100 requests failed (6 refused, 4 reset): 3 to affected VIPs, 1 to others, "
        "2 by name, 4 on return; "
    ) in run_line(1, run)
    assert "; 0 of 100 requests failed; " in run_line(1, figures(0.2, failed=0))


def test_the_picture_has_a_scale_of_powers() -> None:
    assert x_of(0.0) == x_of(0.005)
    assert abs((x_of(1.0) - x_of(0.1)) - (x_of(10.0) - x_of(1.0))) < 0.2


def test_the_files(tmp_path: Path) -> None:
    title = "a <b> & c"
    runs = [figures(0.2), figures(None)]
    drilled = Drilled(summarize("a", title, runs, ExpectTable(), True), 1.0, runs)

    write_report(tmp_path, Report("Linux", 2, [drilled]))

    read = msgspec.json.decode((tmp_path / "drills.json").read_bytes(), type=Report)
    assert read.drills[0].runs == runs
    svg = ET.fromstring((tmp_path / "drills.svg").read_text())
    circles = svg.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 2
    page = (tmp_path / "drills.html").read_text()
    assert "a &lt;b&gt; &amp; c" in page
    assert "<b>" not in page
    assert "oslo2: 10/s before, 110/s after" in page


def test_what_the_lab_did_by_itself_stands_in_every_form(tmp_path: Path) -> None:
    quiet, busy = figures(0.2), figures(0.3, lost={"north": Lost(0, 0, 400, 12)})
    drilled = Drilled(
        summarize("a", "A", [quiet, busy], ExpectTable(), True), 1.0, [quiet, busy], [], "d"
    )
    write_report(tmp_path, Report("Linux", 2, [drilled]))

    words = (
        "late: that of north 400 times by more than 20 ms, 12 of these by more than 100: the "
        "machine was busy, what timed out may be for that"
    )
    assert words in run_line(2, busy)
    assert words in (tmp_path / "drills.html").read_text()
    assert (
        f"|\n\nA:\n\n- run 2: the lab's relays were {words}\n"
        in (tmp_path / "drills.md").read_text()
    )
    (read,) = msgspec.json.decode((tmp_path / "drills.json").read_bytes(), type=Report).drills
    assert (read.runs[1].lost["north"].behind, read.runs[1].lost["north"].starved) == (400, 12)


def test_a_report_is_read_again_to_be_continued(tmp_path: Path) -> None:
    summary = summarize("a", "A", [figures(0.2)], ExpectTable(), True)
    report = Report("m", 2, [Drilled(summary, 1.0, [figures(0.2)], ["run 2: no end"], "d")])

    assert read_report(tmp_path) is None
    write_report(tmp_path, report)

    assert read_report(tmp_path) == report
    (tmp_path / REPORT_FILE).write_text("{")
    with pytest.raises(LabError, match="leave out --continue"):
        read_report(tmp_path)
    with pytest.raises(LabError, match="--continue needs --output"):
        read_report(None)
