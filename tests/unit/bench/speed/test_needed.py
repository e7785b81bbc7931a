"""What the bench says of a machine before it measures there."""

from __future__ import annotations

import pytest
from bench.speed.needed import DESCRIPTORS, refusal, without


def test_where_all_is_there_nothing_is_refused() -> None:
    assert refusal(lambda name: f"/usr/bin/{name}", 2) is None


def test_missing_programs_are_named_with_their_packages() -> None:
    said = refusal(lambda name: None if name in {"setpriv", "taskset", "wrk"} else name, 2)
    assert said == "wrk, setpriv, taskset not found: run 'apt install wrk util-linux' as root"


def test_one_core_is_not_enough() -> None:
    said = refusal(lambda name: name, 1)
    assert said is not None
    assert "2 processor cores" in said


def test_a_quiet_machine_that_has_all_is_measured_without_a_word() -> None:
    assert not without([], counted=True, descriptors=DESCRIPTORS, load=0.1)


@pytest.mark.parametrize(
    ("absent", "counted", "descriptors", "load", "said"),
    [
        (["varnish"], True, DESCRIPTORS, 0.1, "varnish is not installed"),
        ([], False, DESCRIPTORS, 0.1, "no instructions are counted"),
        ([], True, 1024, 0.1, "may open 1,024 files"),
        ([], True, DESCRIPTORS, 3.2, "load 3.2"),
    ],
)
def test_what_a_run_will_lack_is_said(
    absent: list[str], counted: bool, descriptors: int, load: float, said: str
) -> None:
    (line,) = without(absent, counted=counted, descriptors=descriptors, load=load)
    assert said in line
