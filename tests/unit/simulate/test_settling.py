from __future__ import annotations

from typing import Any

import pytest

from headrace.simulate.engine import Result
from headrace.simulate.report.charts import plots_of_variants
from headrace.simulate.report.svg import picture
from headrace.simulate.settling import WITHIN, settled, settled_s
from tests.harness.scenarios import a_network, a_scenario, simulated


def test_a_network_to_which_nothing_happens_has_nothing_to_settle() -> None:
    assert settled_s(simulated(), 0) == 0.0


STAYS = [[0.6, 0.4]] * 100
REST = 60


def test_what_stays_is_at_rest_at_once() -> None:
    assert settled(STAYS, REST, WITHIN) == 0


def test_traffic_that_moves_is_at_rest_when_it_has_moved() -> None:
    moves = [[1.0 - step / 20, step / 20] for step in range(20)]
    assert 18 <= settled([*moves, *[[0.0, 1.0]] * 100], REST, WITHIN) <= 20


def test_one_that_swings_to_the_end_never_is() -> None:
    swings = [[0.5 + 0.2 * (-1) ** (number // 5), 0.5] for number in range(100)]
    assert settled(swings, REST, WITHIN) > 90


def test_one_that_swings_less_than_a_twentieth_is_at_rest() -> None:
    swings = [[0.5 + 0.03 * sign, 0.5 - 0.03 * sign] for sign in (1, -1)] * 50
    assert settled(swings, REST, WITHIN) == 0


def test_the_growth_of_the_day_is_no_movement() -> None:
    curve = [0.1] * 12 + [1.0] * 12
    result = simulated(
        starts="11h",
        interval=10,
        length=3600,
        audience=[{"network": name, "viewers": 800, "curve": curve} for name in ("isp-a", "isp-b")],
        failure=[{"servers": ["n1"], "from": 300, "until": 310, "how": "slow"}],
    )
    load = result.series.sites["north"].load()
    assert load[-1] > 5 * load[35]
    assert settled_s(result, 0) <= 30


@pytest.fixture(scope="module")
def lost() -> Result:
    return simulated(
        interval=10,
        length=1200,
        audience=[{"network": "isp-a", "viewers": 900, "curve": [1.0] * 24, "places": 200}],
        failure=[{"site": "north", "from": 600}],
        control={"mode": "states"},
    )


def test_it_settles_soon_after_clients_have_gone_to_the_next_site(lost: Result) -> None:
    assert 10 <= settled_s(lost, 0) <= 60


def test_what_happened_before_the_warm_up_does_not_count(lost: Result) -> None:
    assert settled_s(lost, 70) == 0.0


def test_variants_have_a_line_each_in_every_plot_and_picture(lost: Result) -> None:
    plots = plots_of_variants({"one & only": lost, "other": lost})
    for chart in plots.charts:
        assert [line.name for line in chart.lines] == ["one & only", "other"]
        text = picture(plots, chart)
        assert text.count("<path ") == 2
        assert "one &amp; only" in text
        assert "nan" not in text


def test_a_variant_has_its_own_in_place_of_the_scenarios() -> None:
    variants: list[dict[str, Any]] = [
        {"name": "plain", "edges": {"tiering": False}},
        {"name": "other", "new_server": [{"site": "north", "at": 5}]},
    ]
    config = a_scenario(variant=variants, clients={"by": "dns"}, new_server=[])
    plain, other = (config.as_variant(one) for one in config.variants)
    assert not plain.edges.tiering
    assert other.edges.tiering
    assert [plain.clients.by, other.clients.by] == ["dns", "dns"]
    assert [len(plain.new_servers), len(other.new_servers)] == [0, 1]


def test_a_viewer_who_gets_nothing_gives_up() -> None:
    lost = {"failure": [{"site": "north", "from": 100}], "clients": {"patience": 20}}
    result = simulated(a_network(), audience=[{"network": "isp-a", "viewers": 60}], **lost)
    watching = dict(zip(result.series.at_s, result.series.viewers, strict=True))
    assert watching[590] < watching[95] / 4


def test_a_live_event_is_something_that_happens() -> None:
    match = {"name": "match", "host": "vod.example", "viewers": 300, "ramp": 120}
    result = simulated(
        interval=10,
        length=1200,
        audience=[{"network": name, "viewers": 10} for name in ("isp-a", "isp-b")],
        live=[{**match, "at": 300, "length": 600, "networks": ["isp-b"]}],
    )
    assert [(one.at_s, one.text) for one in result.happenings] == [
        (300.0, "match: live"),
        (900.0, "match: over"),
    ]
    # All come from where no one was before: traffic is elsewhere until most have come.
    assert 20 <= settled_s(result, 0) <= 300
