"""Which targets are met by which figures."""

from __future__ import annotations

import pytest
from bench.speed.figures import Line
from bench.speed.targets import Verdict, as_table, verdicts


def verdict(line: Line, place: int = 0) -> Verdict:
    """What becomes of this line's target, or of its second."""
    found = [each for each in verdicts([line]) if each.work.split()[0] == line.letter]
    return found[place]


def segments(own: float, *, letter: str = "a") -> Line:
    return Line(letter, "", "GB/s", True, {"headrace": [own], "nginx": [1.0], "varnish": [2.0]})


@pytest.mark.parametrize(("own", "met"), [(2.0, True), (1.99, False)])
def test_plain_segments_are_measured_by_the_best_peer(own: float, met: bool) -> None:
    assert verdict(segments(own)).met is met


@pytest.mark.parametrize(("own", "met"), [(2.6, True), (2.5, False)])
def test_tls_segments_must_be_well_ahead(own: float, met: bool) -> None:
    assert verdict(segments(own, letter="b")).met is met


def test_manifests_have_two_targets() -> None:
    line = segments(1.5, letter="c")
    assert [verdict(line, place).met for place in (0, 1)] == [True, False]


def test_the_first_byte_is_measured_by_the_better_of_nginx_and_varnish() -> None:
    figures = {"headrace": [3.0], "nginx": [4.0], "varnish": [2.0], "haproxy": [1.0]}
    found = verdict(Line("e3", "", "ms", False, figures))
    assert found.value == pytest.approx(2 / 3)
    assert found.met is False


@pytest.mark.parametrize(("kib", "met"), [(20.0, True), (20.1, False)])
def test_memory_has_an_upper_limit(kib: float, met: bool) -> None:
    assert verdict(Line("i", "", "KiB", False, {"headrace": [kib]})).met is met


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {each.met for each in verdicts([])} == {None}


def test_without_the_peers_there_is_no_verdict() -> None:
    assert verdict(Line("e1", "", "GB/s", True, {"headrace": [1.0]})).met is None


def test_a_work_that_failed_in_one_round_misses_its_target() -> None:
    line = Line(
        "f2", "", "ms", False, {"headrace": [1.0], "nginx": [2.0]}, {"headrace": "2 fetches"}
    )
    assert verdict(line).met is False


def test_the_table_tells_all_three_outcomes() -> None:
    text = as_table([Verdict("a", "≥ 1", 1.5, True), Verdict("b", "≥ 1", 0.5, False)])
    text += as_table([Verdict("c", "≥ 1", None, None)])
    assert "| 1.50 | met |" in text
    assert "| 0.50 | **not met** |" in text
    assert "| – | not measured |" in text
