"""The shipped drills fit the lab that they want, and are within bounds."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from headrace.config.lab import LAB
from headrace.config.loader import load_config
from headrace.lab.drill.bodies import long_body, small_body
from headrace.lab.drill.expanded import expanded
from headrace.lab.drill.orders import affected, clients, leaving, next_hops, orders_for, owners
from headrace.lab.drill.shipped import find_scenarios, shipped, topology_text
from headrace.lab.errors import LabError
from headrace.lab.network.plan import Kind, LabPlan, make_plan

TABLE = {
    "edge-kill", "speaker-kill", "link-down", "edge-hang", "black-hole", "black-hole-bfd", "drain",
    "rolling-upgrade", "two-of-three",
}  # fmt: skip


def plan_of(tmp_path: Path, text: str) -> LabPlan:
    file = tmp_path / "lab.toml"
    file.write_text(text)
    return make_plan(load_config(file, LAB), tmp_path)


def test_every_promise_has_a_drill() -> None:
    assert set(shipped()) >= TABLE


@pytest.mark.parametrize("name", shipped())
def test_its_names_are_in_its_lab(tmp_path: Path, name: str) -> None:
    (config,) = find_scenarios([name]).values()
    plan = plan_of(tmp_path, topology_text(config))

    config = expanded(config, plan)

    assert affected(plan, config)
    for step in config.steps:
        for machine in [*step.on, *([step.from_] if step.from_ else [])]:
            assert plan.group(machine), machine


def test_bfd_is_added_to_the_topology() -> None:
    (config,) = find_scenarios(["black-hole-bfd"]).values()

    assert all(site["bfd"] for site in tomllib.loads(topology_text(config))["site"])


def test_all_are_found_at_once_and_nothing_else() -> None:
    assert list(find_scenarios(["all"])) == shipped()
    with pytest.raises(LabError, match="name a file, `all`, or some of bad-upgrade, "):
        find_scenarios(["nothing"])


SCENARIO = """
title = "nothing"
topology = {topology}
affected = ["bergen1"]
step = [{{ do = "nothing" }}]
"""


def test_a_topology_of_its_own_is_found_from_where_the_scenario_is(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\n')
    (tmp_path / "drill.toml").write_text(SCENARIO.format(topology='"mine.toml"'))
    (tmp_path / "small.toml").write_text(SCENARIO.format(topology='"small"'))

    own, shipped_one = find_scenarios(
        [str(tmp_path / f"{n}.toml") for n in ("drill", "small")]
    ).values()

    assert tomllib.loads(topology_text(own)) == {"name": "mine"}
    assert tomllib.loads(topology_text(shipped_one))["name"] == "small"


def test_two_files_of_one_name_are_refused_not_one_of_them_left_out(tmp_path: Path) -> None:
    file = tmp_path / "edge-kill.toml"
    file.write_text(SCENARIO.format(topology='"small"'))

    with pytest.raises(LabError, match=r"two drills of one name: rename a file"):
        find_scenarios(["edge-kill", str(file)])
    assert list(find_scenarios([str(file), str(file)])) == ["edge-kill"]


def test_orders(tmp_path: Path) -> None:
    (config,) = find_scenarios(["edge-kill"]).values()
    plan = plan_of(tmp_path, topology_text(config))

    orders = orders_for(plan, config, small_body(), long_body(), 10.0, 60.0)

    assert set(orders) == {"north-client1", "south-client1"} == {one.name for one in clients(plan)}
    one = orders["south-client1"]
    every = {target.host: target.every_s for target in one.targets}
    # Two VIPs of two families for each of six servers, those of one of them more often.
    assert len(every) == len(owners(plan)) == 24
    often = {host for host, every_s in every.items() if every_s < 0.1}
    assert often == set(affected(plan, config)) == {target.host for target in one.downloads}
    assert {asked.kind for asked in one.asked} == {"dns", "http"}
    # No more in all than clients and servers have time for.
    assert sum(2 / every[host] for host in often) <= config.load.most + 1e-6
    others = sum(2 / every_s for host, every_s in every.items() if host not in often)
    assert others <= config.load.most_others + 1e-6
    # Not all at the same moment.
    assert len({target.phase_s for target in one.targets}) > 12


def test_addresses_of_a_server_lead_to_it(tmp_path: Path) -> None:
    (config,) = find_scenarios(["edge-kill"]).values()
    plan = plan_of(tmp_path, topology_text(config))
    machine = plan.machines["oslo2"]

    assert next_hops(plan, "north")[machine.ipv6] == "oslo2"
    assert machine.ipv4 not in next_hops(plan, "south")
    assert len(next_hops(plan, "north")) == 2 * sum(
        one.isp == "north" for one in plan.of(Kind.SERVER)
    )


def test_who_is_not_to_be_sent_to(tmp_path: Path) -> None:
    (config,) = find_scenarios(["edge-kill"]).values()
    plan = plan_of(tmp_path, topology_text(config))

    assert "oslo1.cdn.test" in leaving(plan, config)
