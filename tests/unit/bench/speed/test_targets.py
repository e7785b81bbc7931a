"""Which targets are met by which figures."""

from __future__ import annotations

import pytest
from bench.speed.result import Aside, Measured, Tail
from bench.speed.targets import TARGETS, Verdict, verdicts

from tests.unit.bench.speed.made_up import result, work


def verdict(letter: str, *works: Measured, place: int = 0, aside: Aside | None = None) -> Verdict:
    """What becomes of this letter's target, or of its second."""
    found = [
        each for each in verdicts(result(works, aside=aside)) if each.work.split()[0] == letter
    ]
    return found[place]


def against_two(letter: str, own: float, own_us: float = 10.0) -> Measured:
    return work(
        letter, {"headrace": [own], "nginx": [1.0], "varnish": [2.0]},
        cpu_us={"headrace": [own_us]},
    )  # fmt: skip


@pytest.mark.parametrize(("own", "met"), [(2.1, True), (2.09, False)])
def test_plain_segments_are_measured_by_the_best_peer(own: float, met: bool) -> None:
    assert verdict("a", against_two("a", own, 1.0)).met is met


@pytest.mark.parametrize(("own_us", "met"), [(9.5, True), (9.6, False)])
def test_what_is_ahead_by_throughput_must_be_ahead_by_cost_too(own_us: float, met: bool) -> None:
    assert verdict("a", against_two("a", 99.0, own_us)).met is met


def test_manifests_have_two_targets() -> None:
    line = against_two("c", 1.5, 1.0)
    assert [verdict("c", line, place=place).met for place in (0, 1)] == [False, True]


def test_the_first_byte_is_measured_by_the_better_of_nginx_and_varnish() -> None:
    ms = {"headrace": 3.0, "nginx": 4.0, "varnish": 2.0, "haproxy": 1.0}
    tail = Tail("first", {"e3": 99.0}, {peer: {0: [value]} for peer, value in ms.items()})
    found = [each for each in verdicts(result([], tails=[tail])) if each.work[:2] == "e3"]
    assert found[0].value == pytest.approx(2 / 3)
    assert found[0].met is False


@pytest.mark.parametrize(("kib", "met"), [(10.0, True), (10.1, False)])
def test_memory_has_an_upper_limit(kib: float, met: bool) -> None:
    line = work("i1", {"headrace": [kib]}, unit="KiB", more_is_better=False)
    assert verdict("i1", line).met is met


def stored(letter: str, own_us: float, nginx_us: float = 10.0) -> Measured:
    return work(
        letter, {"headrace": [1.0], "nginx": [1.0]},
        cpu_us={"headrace": [own_us], "nginx": [nginx_us]},
    )  # fmt: skip


def test_small_objects_are_judged_with_most_of_them_stored() -> None:
    works = (stored("s3", 10.0), stored("s5", 20.0), stored("s4", 12.0))
    assert verdict("s", *works).value == 0.5
    assert verdict("s", *works, place=1).value == 2.0


def test_one_size_says_nothing_of_growth() -> None:
    assert verdict("s", stored("s3", 10.0), place=1).met is None


@pytest.mark.parametrize(("seconds", "met"), [(40.0, True), (40.1, False)])
def test_a_million_is_reckoned_from_what_was_stored(seconds: float, met: bool) -> None:
    aside = Aside(fill_s={"headrace": {1_000: 9.0, 100_000: seconds}})
    assert verdict("s", place=2, aside=aside).met is met


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    found = verdicts(result([]))
    assert len(found) == len(TARGETS)
    assert {each.met for each in found} == {None}


def test_without_the_peers_there_is_no_verdict() -> None:
    assert verdict("e1", work("e1", {"headrace": [1.0]})).met is None


def test_a_work_that_failed_misses_its_target() -> None:
    line = work(
        "f2", {"headrace": [1.0], "nginx": [9.0]}, more_is_better=False,
        failures={"headrace": "2 fetches"},
    )  # fmt: skip
    assert verdict("f2", line).met is False
