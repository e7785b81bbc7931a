"""What is cut of a lab, and the packet filter's rules that come from it. Pure.

A line is cut by taking it down, so that both ends see it at once, or silently: then everything on
it is dropped, and nobody is told. Between two machines, sites or ISPs that have no line of their
own, packets from the addresses of one to those of the other are dropped. VIPs are not among these:
they are of whoever announces them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from headrace.lab.errors import LabError
from headrace.lab.network.plan import UP_DEVICE, Kind, LabPlan, Machine

TABLE = "headrace_lab"


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """A cut: of the line of machine `one`, or between `one` and `other`."""

    one: str
    other: str = ""
    silent: bool = False

    @property
    def of_line(self) -> bool:
        """Return whether it is one line that is cut."""
        return not self.other

    @property
    def place(self) -> tuple[str, str]:
        """Return what is cut, however."""
        return self.one, self.other

    def __str__(self) -> str:
        """Return it as people write it."""
        between = (
            f"between {self.one} and {self.other}" if self.other else f"the line of {self.one}"
        )
        return f"{between}, {'silently' if self.silent else 'down'}"


def make_cut(plan: LabPlan, one: str, other: str | None, *, silent: bool) -> Cut:
    """Return the cut that somebody asks for. Raises LabError when there is nothing to be cut."""
    if other is None:
        if one not in plan.lines:
            raise LabError(f"there is no line {one}: name one of {', '.join(plan.lines)}")
        return Cut(one, silent=silent)
    for lower, upper in ((one, other), (other, one)):
        line = plan.lines.get(lower)
        if line is not None and line.upper == upper:
            return Cut(lower, silent=silent)
    for name in (one, other):
        if not members(plan, name):
            raise LabError(
                f"{name} is no machine, site or ISP: name one of {', '.join(plan.names)}"
            )
    left, right = members(plan, one), members(plan, other)
    if {machine.name for machine in left} & {machine.name for machine in right}:
        raise LabError(f"{one} and {other} have parts in common: name two that are apart")
    first, second = sorted((one, other))
    return Cut(first, second, silent=True)


def members(plan: LabPlan, name: str) -> list[Machine]:
    """Return the machines of a cut's side: those that have addresses."""
    return [machine for machine in plan.group(name) if machine.kind is not Kind.EXCHANGE]


def rules(plan: LabPlan, cuts: Iterable[Cut], machine: Machine) -> str:
    """Return the rules of a machine's packet filter: the whole of its table, which is replaced."""
    incoming, outgoing = [], []
    for cut in sorted(cuts):
        if cut.of_line:
            if cut.silent and cut.one == machine.name:
                incoming.append(f'iifname "{UP_DEVICE}" drop')
                outgoing.append(f'oifname "{UP_DEVICE}" drop')
            continue
        for here, there in ((cut.one, cut.other), (cut.other, cut.one)):
            if machine in members(plan, here):
                own, far = _addresses([machine]), _addresses(members(plan, there))
                for family in ("ip", "ip6"):
                    of, to = _set(own[family]), _set(far[family])
                    incoming.append(f"{family} saddr {to} {family} daddr {of} drop")
                    outgoing.append(f"{family} saddr {of} {family} daddr {to} drop")
    text = f"table inet {TABLE} {{}}\ndelete table inet {TABLE}\n"
    if not incoming:
        return text
    chains = (("prerouting", incoming), ("postrouting", outgoing))
    inner = "".join(
        f"  chain {hook} {{\n    type filter hook {hook} priority -300;\n"
        + "".join(f"    {rule}\n" for rule in chain)
        + "  }\n"
        for hook, chain in chains
    )
    return f"{text}table inet {TABLE} {{\n{inner}}}\n"


def _addresses(machines: Collection[Machine]) -> dict[str, list[str]]:
    return {
        "ip": [machine.ipv4 for machine in machines],
        "ip6": [machine.ipv6 for machine in machines],
    }


def _set(addresses: Sequence[str]) -> str:
    return f"{{ {', '.join(addresses)} }}"


def touched(plan: LabPlan, cut: Cut) -> list[Machine]:
    """Return the machines whose rules depend on a cut."""
    if cut.of_line:
        return [plan.machines[cut.one]] if cut.silent else []
    return [*members(plan, cut.one), *members(plan, cut.other)]
