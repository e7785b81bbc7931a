"""What the lines of a lab lose by themselves: in the queues of their rates, and in relays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from headrace.lab.errors import LabError
from headrace.lab.namespaces.namespace import Namespace
from headrace.lab.network.plan import UP_DEVICE, LabPlan
from headrace.lab.network.programs import relay_counts
from headrace.lab.network.relay import BEHIND_S, STARVED_S, Counts, read_counts

BUSY_TIMES = 10
"""A relay that is starved so often makes requests time out: in runs in which it was 16 times some
did, in those in which it was 8 times none.
"""
HOPELESS_TIMES = 150
"""With twice to thrice as many, in a lab beside other work, a third of all requests timed out; with
61 at most, 7 of 163,626 to servers that nothing had happened to.
"""


class Lost(msgspec.Struct, frozen=True):
    """Packets that a line has lost since it was made. `queue`: they came faster than its rate, as
    at any router; `relay`: the lab's relay was late, or full. What it was asked to lose by chance
    is not among them, where the kernel has no netem. `behind` and `starved` are how often the relay
    sent what it had more than 20 ms late, or 100.
    """

    queue: int = 0
    relay: int = 0
    behind: int = 0
    starved: int = 0

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
            counts = Counts() if relay is None else relay
            found[name] = Lost(sum(known), counts.lost, counts.behind, counts.starved)
    return found


def since(before: Mapping[str, Lost], after: Mapping[str, Lost]) -> dict[str, Lost]:
    """Return what was lost or late between two times, of lines with anything of it. Pure."""
    found = {}
    for name, now in after.items():
        then = before.get(name, Lost())
        one = Lost(
            max(0, now.queue - then.queue),
            _more(then.relay, now.relay),
            _more(then.behind, now.behind),
            _more(then.starved, now.starved),
        )
        if one != Lost():
            found[name] = one
    return found


def _more(then: int, now: int) -> int:
    """A relay that was started again counts from nothing."""
    return now - then if now >= then else now


def lost_words(found: Mapping[str, Lost]) -> str:
    """Return it in words: "north 3 (relay 1), …"; "" for nothing. Pure."""
    return ", ".join(_words(name, one) for name, one in sorted(found.items()) if one.all)


def late_words(found: Mapping[str, Lost]) -> str:
    """Return how often relays were late, in words: "that of north 5 times by more than 20 ms, 2 of
    these by more than 100, …"; "" for never. Pure.
    """
    return ", ".join(
        f"that of {name} {one.behind} times by more than {1000 * BEHIND_S:.0f} ms"
        + (f", {one.starved} of these by more than {1000 * STARVED_S:.0f}" if one.starved else "")
        for name, one in sorted(found.items())
        if one.behind
    )


def too_late(found: Mapping[str, Lost]) -> bool:
    """Return whether requests may have timed out for relays that were late. Pure."""
    return any(one.starved >= BUSY_TIMES for one in found.values())


def hopeless(found: Mapping[str, Lost]) -> str:
    """Return the name of the line whose relay was late so often that nothing can be said of the
    network; "" where there is none. Pure.
    """
    name = max(found, key=lambda each: found[each].starved, default="")
    return name if name and found[name].starved >= HOPELESS_TIMES else ""


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


def _at_relay(plan: LabPlan, machine: str) -> Counts | None:
    try:
        return read_counts(relay_counts(plan, machine))
    except (OSError, msgspec.MsgspecError):
        return None
