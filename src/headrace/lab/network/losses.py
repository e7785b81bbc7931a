"""What the lines of a lab lose by themselves: in the queues of their rates, and in relays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from headrace.lab.errors import LabError
from headrace.lab.namespaces.namespace import Namespace
from headrace.lab.network.plan import UP_DEVICE, LabPlan
from headrace.lab.network.programs import relay_counts
from headrace.lab.network.relay import read_counts


class Lost(msgspec.Struct, frozen=True):
    """Packets that a line has lost since it was made. `queue`: they came faster than its rate, as
    at any router; `relay`: the lab's relay was late, or full. What it was asked to lose by chance
    is not among them, where the kernel has no netem.
    """

    queue: int = 0
    relay: int = 0

    @property
    def all(self) -> int:
        """Return the sum."""
        return self.queue + self.relay


class _Discipline(msgspec.Struct):
    dev: str = ""
    kind: str = ""
    drops: int = 0


def read_drops(text: str) -> dict[str, int]:
    """Return what the disciplines of devices dropped, from `tc -s -j qdisc show`. Raises
    msgspec.MsgspecError. Pure.
    """
    found: dict[str, int] = {}
    for one in msgspec.json.decode(text or "[]", type=list[_Discipline]):
        found[one.dev] = found.get(one.dev, 0) + one.drops
    return found


def lost(plan: LabPlan) -> dict[str, Lost]:
    """Return what each line has lost; a line of which that cannot be known is not in it."""
    drops = dict(_drops(plan))
    found = {}
    for name, line in plan.lines.items():
        ends = [
            drops.get(name, {}).get(UP_DEVICE),
            drops.get(line.upper, {}).get(line.upper_device),
        ]
        known = [one for one in ends if one is not None]
        relay = _at_relay(plan, name)
        if known or relay is not None:
            found[name] = Lost(sum(known), relay or 0)
    return found


def since(before: Mapping[str, Lost], after: Mapping[str, Lost]) -> dict[str, Lost]:
    """Return what was lost between two times, of lines that lost anything. Pure."""
    found = {}
    for name, now in after.items():
        then = before.get(name, Lost())
        # A relay that was started again counts from nothing.
        relay = now.relay - then.relay if now.relay >= then.relay else now.relay
        one = Lost(max(0, now.queue - then.queue), relay)
        if one.all:
            found[name] = one
    return found


def lost_words(found: Mapping[str, Lost]) -> str:
    """Return it in words: "north 3 (relay 1), …"; "" for nothing. Pure."""
    return ", ".join(_words(name, one) for name, one in sorted(found.items()) if one.all)


def _words(name: str, one: Lost) -> str:
    return f"{name} {one.all}" + (f" ({one.relay} in the relay)" if one.relay else "")


def _drops(plan: LabPlan) -> Iterator[tuple[str, dict[str, int]]]:
    machines: Iterable[str] = plan.machines
    for name in machines:
        try:
            text = Namespace(plan.namespace(name)).tc("-s", "-j", "qdisc", "show")
            yield name, read_drops(text)
        except (LabError, msgspec.MsgspecError):
            continue


def _at_relay(plan: LabPlan, machine: str) -> int | None:
    try:
        return read_counts(relay_counts(plan, machine)).lost
    except (OSError, msgspec.MsgspecError):
        return None
