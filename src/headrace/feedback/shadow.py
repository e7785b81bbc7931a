"""What an observer that follows would have decided itself: shown to operators, and compared with
what the one that decides publishes. One that is broken but knows the secret is not overruled, for
then nobody would say who is right; the others raise an alarm. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from headrace.feedback.control.controller import Controller, Step
from headrace.feedback.deciding import Deciding, Moment
from headrace.feedback.observation import Observations
from headrace.feedback.orders import Orders
from headrace.feedback.states.model import Alarm, AlarmKind
from headrace.topology.view import ServerView, View

EVERY_S: Final = 5.0
"""A step is worked out so often at most: it costs as much as deciding does."""
LASTING: Final = 3
"""So often in a row the same must differ: each sees what is new a moment earlier or later."""
MATERIAL: Final = 0.25
"""By how much weights differ that are not the same: a return is worked out a moment ahead."""
MOST_NAMED: Final = 3

_PLAIN = ServerView()


class Shadow:
    """Steps that are worked out and not carried out. `step` is the last one, None while this
    observer decides itself.
    """

    def __init__(self, deciding: Deciding) -> None:
        self.step: Step | None = None
        self._deciding = deciding
        self._senior: str | None = None
        self._published: View | None = None
        self._next_s = 0.0
        self._differed: dict[str, int] = {}

    def begin(
        self,
        moment: Moment,
        observations: Observations,
        orders: Orders,
        controller: Controller,
        *,
        same_description: bool = True,
    ) -> Callable[[], Step] | None:
        """Return what works out the own step, when it is time again; it may run in a thread, and
        `end` takes what comes of it. It is compared where both go by the same description.
        """
        deciding = self._deciding
        senior = deciding.decides
        if senior != self._senior:
            self._senior, self._differed, self._next_s = senior, {}, moment.steady_s
            deciding.say(AlarmKind.SENIOR_DIFFERS, None)
        if senior in (None, deciding.own) or deciding.published is None:
            self.step = None
            return None
        if moment.steady_s < self._next_s:
            return None
        self._next_s = moment.steady_s + EVERY_S
        self._published = deciding.published.view if same_description else None
        elapsed_s = controller.rules.balance.interval_s  # so that the balance is worked out
        memory, now = deciding.known(), moment.clock
        return partial(controller.step, memory, observations, now, elapsed_s, orders)

    def end(self, step: Step) -> None:
        """Compare what was worked out with what was published."""
        self.step = step
        found: dict[str, str] = {}
        if self._published is not None:
            found = dict(differences(self._published, step.view))
        self._differed = {name: self._differed.get(name, 0) + 1 for name in found}
        lasting = [name for name, times in self._differed.items() if times >= LASTING]
        alarm = None
        if lasting and self._senior is not None:
            told = "; ".join(found[name] for name in lasting[:MOST_NAMED])
            more = f"; and {len(lasting) - MOST_NAMED} more" if len(lasting) > MOST_NAMED else ""
            alarm = Alarm(AlarmKind.SENIOR_DIFFERS, self._senior, f"{told}{more}"[:1024])
        self._deciding.say(AlarmKind.SENIOR_DIFFERS, alarm)


def differences(published: View, own: View) -> Iterator[tuple[str, str]]:
    """Return what of a published view is materially another than in the own: a key and a text for
    each server and coverage.
    """
    for name in sorted(published.servers.keys() | own.servers.keys()):
        one, other = published.servers.get(name, _PLAIN), own.servers.get(name, _PLAIN)
        if one.state is not other.state or abs(one.weight - other.weight) > MATERIAL:
            yield f"server {name}", f"{name} is published {_said(one)}, and here {_said(other)}"
    tables = [("", published.coverage, own.coverage)]
    tables += [
        (f" of class {content}", published.by_class.get(content, {}), own.by_class.get(content, {}))
        for content in sorted(published.by_class.keys() & own.by_class.keys())
    ]
    for of_class, said, worked_out in tables:
        for name in sorted(said.keys() & worked_out.keys()):
            one_weights, other_weights = said[name], worked_out[name]
            sites = one_weights.keys() | other_weights.keys()
            far = [
                site
                for site in sorted(sites)
                if abs(one_weights.get(site, 0.0) - other_weights.get(site, 0.0)) > MATERIAL
            ]
            if far:
                yield (
                    f"coverage {name}{of_class}",
                    f"coverage {name}{of_class} has other weights for {', '.join(far)[:200]}",
                )


def _said(one: ServerView) -> str:
    weight = "" if one.weight == 1.0 else f" with weight {one.weight:.2g}"
    return f"{one.state.value}{weight}"
