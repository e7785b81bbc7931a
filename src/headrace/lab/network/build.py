"""Builds the namespaces of a lab and the lines between them, cuts and heals them, removes them."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cache, partial
from pathlib import Path

from headrace.lab.errors import LabError
from headrace.lab.namespaces.enter import inside
from headrace.lab.namespaces.namespace import End, Namespace, addressed, link, names
from headrace.lab.network.cuts import Cut, rules, touched
from headrace.lab.network.device import divide_early
from headrace.lab.network.plan import (
    CLIENTS_BRIDGE,
    EXCHANGE_BRIDGE,
    PREFIX,
    UP_DEVICE,
    Kind,
    LabPlan,
    Line,
    Machine,
)
from headrace.lab.network.shaping import shaping

RELAY = "relay-"
PROBE = f"{PREFIX}probe-"
"""What a namespace to try something in is called, with the number of the process behind it."""
RELAY_LOWER, RELAY_UPPER = "lower", "upper"


def namespace(plan: LabPlan, machine: str) -> Namespace:
    """Return a machine's namespace, there or not."""
    return Namespace(plan.namespace(machine))


def left_of(lab: str) -> list[Namespace]:
    """Return the namespaces that there are of a lab."""
    return [Namespace(name) for name in names(f"{PREFIX}{lab}.")]


def relayed(plan: LabPlan) -> list[Line]:
    """Return the lines in whose middle a relay has to stand."""
    return [] if has_netem() else [line for line in plan.lines.values() if line.slow]


@cache
def has_netem() -> bool:
    """Return whether this machine's kernel can delay packets by itself. Raises LabError."""
    probe = Namespace(f"{PROBE}{os.getpid()}")
    probe.add()
    try:
        probe.tc("qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
    except LabError:
        return False
    else:
        return True
    finally:
        probe.remove()


def build(plan: LabPlan) -> None:
    """Make everything that a plan has. Raises LabError; what was made until then stays."""
    slow = {line.machine for line in relayed(plan)}
    for name in plan.machines:
        namespace(plan, name).add()
    for machine in plan.machines.values():
        _make_bridges(plan, machine)
    for line in plan.lines.values():
        if line.machine in slow:
            _make_relayed(plan, line)
        else:
            link(_lower(plan, line), _upper(plan, line))
        _finish_line(plan, line)
    for machine in plan.machines.values():
        namespace(plan, machine.name).ip_lines(
            f"route replace {route.prefix} via {route.via}" for route in plan.routes(machine)
        )


def _make_bridges(plan: LabPlan, machine: Machine) -> None:
    if machine.kind is Kind.EXCHANGE:
        bridge, addresses = EXCHANGE_BRIDGE, []
    elif machine.kind is Kind.ISP:
        bridge, addresses = CLIENTS_BRIDGE, list(plan.isps[machine.name].client(0).on_link)
    else:
        return
    where = namespace(plan, machine.name)
    where.ip("link", "add", "name", bridge, "type", "bridge", "forward_delay", "0")
    end = End(where, bridge, addresses)
    where.ip_lines([*addressed(end), f"link set dev {bridge} up"])


def _lower(plan: LabPlan, line: Line) -> End:
    return End(namespace(plan, line.machine), UP_DEVICE, plan.machines[line.machine].own.on_link)


def _upper(plan: LabPlan, line: Line) -> End:
    pair = line.upper_pair
    return End(namespace(plan, line.upper), line.upper_device, pair.on_link if pair else ())


def _make_relayed(plan: LabPlan, line: Line) -> None:
    middle = namespace(plan, RELAY + line.machine)
    middle.add()
    join_by_relay(_lower(plan, line), middle, _upper(plan, line))


def join_by_relay(lower: End, middle: Namespace, upper: End) -> None:
    """Lead a line through a namespace, in which a relay is to stand. Raises LabError."""
    for end, device in ((lower, RELAY_LOWER), (upper, RELAY_UPPER)):
        link(end, End(middle, device))
        inside(end.where.name, partial(divide_early, end.device))


def _finish_line(plan: LabPlan, line: Line) -> None:
    lower, upper = _lower(plan, line), _upper(plan, line)
    if line.bridge:
        upper.where.ip("link", "set", "dev", upper.device, "master", line.bridge)
    words = shaping(line.table, netem=has_netem())
    if words is not None:
        for end in (lower, upper):
            end.where.tc("qdisc", "add", "dev", end.device, "root", *words)


def apply_cuts(plan: LabPlan, cuts: Collection[Cut], changed: Cut) -> None:
    """Bring to the namespaces what is cut now; `changed` is new, or is no more. Raises LabError."""
    for machine in touched(plan, changed):
        namespace(plan, machine.name).nft(rules(plan, cuts, machine))
    if changed.of_line and not changed.silent:
        _set_line(plan, plan.lines[changed.one], up=changed not in cuts)


def _set_line(plan: LabPlan, line: Line, *, up: bool) -> None:
    """Take a line down, or up again, so that its machines see a cable without the other end. What
    is set down is beyond them where it can be, for a device that is set down itself loses its
    routes.
    """
    word = "up" if up else "down"
    middle = namespace(plan, RELAY + line.machine)
    if middle.exists:
        middle.ip_lines(f"link set dev {end} {word}" for end in (RELAY_LOWER, RELAY_UPPER))
        return
    upper = _upper(plan, line)
    upper.where.ip("link", "set", "dev", upper.device, word)
    if up:
        upper.where.ip_lines(addressed(upper))


def demolish(lab: str) -> None:
    """Remove what there is of a lab, with all that runs in it, and what trials of this machine have
    left. Raises LabError.
    """
    problems = []
    gone = [one for one in names(PROBE) if not Path("/proc", one.removeprefix(PROBE)).exists()]
    for one in [*left_of(lab), *(Namespace(name) for name in gone)]:
        try:
            one.remove()
        except LabError as error:
            problems.append(str(error))
    if problems:
        raise LabError("; ".join(problems))
