"""A scenario as it is in one lab: sites in it become their servers, turns become steps. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.drill.consistency import longest_s
from headrace.config.drill.model import LONGEST_S, DrillConfig, StepTable
from headrace.lab.errors import LabError
from headrace.lab.network.plan import Kind, LabPlan


def expanded(config: DrillConfig, plan: LabPlan) -> DrillConfig:
    """Return the scenario with servers in place of sites, and every step of every turn. Raises
    LabError for what the lab has not.
    """
    affected = [one for name in config.affected for one in _servers(plan, name)]
    for one in plan.of(Kind.SERVER):
        have = plan.site(one.site).servers
        if one.name in affected and have < config.least_servers:
            raise LabError(f"{one.site} has {have} servers, and {config.least_servers} are needed")
    steps = list(config.steps)
    if config.in_turn is not None:
        steps = list(_turns(config, _servers(plan, config.in_turn)))
    for step in steps:
        for name in [*step.on, *([step.from_] if step.from_ is not None else [])]:
            if not plan.group(name):
                raise LabError(f"the lab {plan.name} has no {name}")
    made = config.model_copy(
        update={"affected": list(dict.fromkeys(affected)), "steps": steps, "in_turn": None}
    )
    if longest_s(made) > LONGEST_S:
        raise LabError(f"a run could take {longest_s(made):g} s, and {LONGEST_S:g} s is the most")
    return made


def _servers(plan: LabPlan, name: str) -> list[str]:
    found = [one.name for one in plan.of(Kind.SERVER) if name in (one.name, one.site)]
    if not found:
        known = ", ".join(one.name for one in plan.of(Kind.SERVER))
        raise LabError(f"the lab has no server {name}: name some of {known}")
    return found


def _turns(config: DrillConfig, servers: list[str]) -> Iterator[StepTable]:
    for number, server in enumerate(servers):
        first, last = number == 0, number == len(servers) - 1
        for step in config.steps:
            yield step.model_copy(
                update={
                    "on": [server],
                    "event": step.event and first,
                    "healed": step.healed and last,
                }
            )
