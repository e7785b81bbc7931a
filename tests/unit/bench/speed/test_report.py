"""The text of the page, from made-up results."""

from __future__ import annotations

import pytest
from bench.speed import quick, report
from bench.speed.compared import all_works, compared
from bench.speed.result import Aside, Result, SwitchingFound
from bench.speed.rounds import Interval, Spread
from bench.speed.tables import by_size, cell, number, ratio, share

from tests.unit.bench.speed.made_up import PEERS, result, work

SEGMENTS = work(
    "a", {"headrace": [2.0, 4.0, 6.0], "nginx": [1.0, 1.0, 1.0]},
    failures={"varnish": "did not start"}, ceiling=8.0,
)  # fmt: skip
COLD = {"headrace": [(3.0, 2.0, 1.5)]}


def page(*results: Result, images: tuple[str, ...] = ()) -> str:
    return report.document(results, "## What holds it back", {"one": images})


@pytest.mark.parametrize(
    ("value", "text"), [(62940.4, "62,940"), (208.3, "208"), (10.04, "10"), (0.2831, "0.283")]
)
def test_numbers_have_three_figures_or_all_of_their_thousands(value: float, text: str) -> None:
    assert number(value) == text


def test_a_cell_has_median_and_range_but_for_a_single_figure() -> None:
    assert cell(Spread(2, 1, 3, 15)) == "2 (1–3)"
    assert cell(Spread(2, 2, 2, 1)) == "2"
    assert cell(None) == "–"


def test_ratios_have_two_places() -> None:
    assert ratio(Spread(1.234, 1, 2, 3)) == "1.23 (1.00–2.00)"
    assert ratio(Spread(1.234, 1.234, 1.234, 1)) == "1.23"


def test_shares_are_per_cent() -> None:
    assert (share(0.5), share(None)) == ("50%", "–")


def test_costs_have_a_column_for_each_size_that_anyone_reached() -> None:
    text = by_size("µs", {"headrace": {10: 1.0, 1000: 2.0}, "nginx": {10: 3.0}})
    assert text.splitlines()[0] == "| µs | 10 | 1,000 |"
    assert text.splitlines()[3] == "| nginx | 3 | – |"


def test_ratios_come_before_figures() -> None:
    text = page(result([SEGMENTS]))
    assert text.index("## Ratios") < text.index("## Targets") < text.index("## Figures: one")


def test_a_row_has_the_ratios_to_the_best_and_to_nginx_by_speed_and_by_cost() -> None:
    row = report.side_by_side({"one": [compared(SEGMENTS)]}).splitlines()[2]
    assert row == (
        "| a work a | **4.00 (2.20–5.80)** nginx | 4.00 (2.20–5.80) | **1.00 (1.00–1.00)** nginx "
        "| 1.00 (1.00–1.00) |"
    )


def test_machines_stand_side_by_side_whatever_each_measured() -> None:
    text = page(result([SEGMENTS]), result([work("c", {"headrace": [1.0]})], name="two"))
    assert "| work | one: to the best | one: to nginx |" in text
    assert "| two: to the best |" in text
    assert "| c work c | – | – | – | – | – | – | – | – |" in text
    assert "| processor | processor one | processor two |" in text
    assert "| its instructions for AES | aes vaes | aes vaes |" in text
    assert "## Figures: two" in text


def test_where_no_instructions_are_counted_that_is_said() -> None:
    assert "| instructions for an answer | not counted |" in page(result([SEGMENTS]))


def test_what_server_load_and_origin_took_is_told() -> None:
    assert "| a | 90% + 50% + 10% | 90% + 50% + 10% | – | – |" in page(result([SEGMENTS]))


def test_shares_are_of_the_bare_loop() -> None:
    text = report.shares(all_works(result([SEGMENTS])), PEERS[:2])
    assert text.splitlines()[2] == "| a work a | 8 GB/s | 50% | 12% |"


def test_what_failed_is_named_with_its_reason_and_notes_too() -> None:
    text = page(result([SEGMENTS], aside=Aside(notes=["too few cores"])))
    assert "- a work a, varnish: did not start" in text
    assert "- too few cores" in text


def test_who_was_left_out_of_some_rounds_is_told_with_their_number() -> None:
    some = work("a", {"headrace": [2.0] * 3, "nginx": [1.0] * 2}, failures={"nginx": "late"})
    assert "- a work a, nginx: 2 of 3 rounds; late" in page(result([some]))


def test_who_was_asked_in_fewer_rounds_is_told_too() -> None:
    some = work("a", {"headrace": [2.0] * 3, "nginx": [1.0] * 3, "haproxy": [1.0]})
    assert "- a work a: haproxy 1 of 3 rounds, as no target is set by them" in page(result([some]))


def test_a_target_whose_work_gave_no_figure_has_failed_and_is_not_missed() -> None:
    nothing = work("a", {"nginx": [1.0]}, failures={"headrace": "did not start"})
    assert "| a segments, plain | ≥ 1.05 × the best | **failed** |" in page(result([nothing]))


def test_pictures_are_shown() -> None:
    text = page(result([SEGMENTS]), images=("speed-ratios-one.png", "speed-growth-one.png"))
    assert "![Ratio to each other server" in text
    assert "](speed-ratios-one.png)" in text
    assert "by connections](speed-growth-one.png)" in text


def test_targets_are_judged_for_each_machine() -> None:
    text = page(result([SEGMENTS]), result([], name="two"))
    assert "| a segments, plain | ≥ 1.05 × the best | 1.00 **not met** | not measured |" in text


@pytest.mark.parametrize(
    ("own", "judged"),
    [
        (0.98, "0.98 **not met**"), (0.996, "0.996 **not met**"), (0.9996, "0.9996 **not met**"),
        (1.0, "1.00 met"), (1.0004, "1.00 met"),
    ],
)  # fmt: skip
def test_a_target_that_was_just_missed_does_not_look_reached(own: float, judged: str) -> None:
    text = page(result([work("e1", {"headrace": [own], "nginx": [1.0]})]))
    assert f"| ≥ 1.0 × nginx | {judged} |" in text


@pytest.mark.parametrize("title", ["Growth", "Cold page cache", "switch", "Three origins"])
def test_sections_without_figures_are_left_out(title: str) -> None:
    assert f"### {title}" not in page(result([SEGMENTS]))


def test_cold_objects_have_both_latencies_and_their_quotient() -> None:
    assert "| headrace | 2 | 3 | 1.5 |" in page(result([], aside=Aside(cold_ms=COLD)))


def test_workers_are_compared_by_their_medians() -> None:
    aside = Aside(
        workers_us={"plain": {1: [250.0], 2: [260.0]}},
        workers_per_s={"plain": {1: [4000.0, 4100.0, 3900.0], 2: [7200.0]}},
    )
    text = page(result([], aside=aside))
    assert "| plain | 4,000 (3,910–4,090) | 7,200 | 1.80 | 250 | 260 |" in text


def test_a_switch_says_what_it_took() -> None:
    aside = Aside(switching=[SwitchingFound(1, 0, 1, 2.5, 0.8, 1.004)], pools=[1.02])
    text = page(result([], aside=aside))
    assert "| a stalled origin is given up after, at the latest | 1 times the time limit |" in text
    assert "A miss with three origins costs 1.02 times what" in text


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Interval(1.2, 1.1, 1.3, 0.97), "ahead"), (Interval(0.8, 0.7, 0.9, 0.97), "behind"),
        (Interval(1.0, 0.9, 1.1, 0.97), "cannot tell"),
        (Interval(1.2, 1.1, 1.3, 0.5), "too few rounds to say"),
    ],
)  # fmt: skip
def test_a_minute_says_only_what_it_can_tell(found: Interval, said: str) -> None:
    assert quick.verdict(found) == said


def test_a_minute_says_how_sure_it_is() -> None:
    ahead = work("a", {"headrace": [2.0] * 6, "nginx": [1.0] * 6})
    text = quick.as_text(result([ahead, SEGMENTS]))
    assert "nginx          GB/s: 2.00 × (2.000 to 2.000, 97% sure): ahead" in text
    assert "varnish        did not start" in text
    assert "75% sure): too few rounds to say" in text
