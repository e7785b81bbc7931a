"""Problems of a drill that span several keys or tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.config.drill.model import LONGEST_S, DrillConfig, StepTable
from headrace.config.problems import Problem

LEAST_WITHDRAWN_S = 12.0
_OF_NOTHING = ("nothing", "heal")


def inconsistencies(config: DrillConfig) -> list[Problem]:
    """Return every such problem."""
    return [*_steps(config), *_marks(config), *_length(config)]


def _steps(config: DrillConfig) -> Iterator[Problem]:
    last_s = 0.0
    for index, step in enumerate(config.steps):
        place: tuple[str | int, ...] = ("step", index)
        if step.at_s is not None:
            if step.at_s < last_s:
                yield Problem(
                    (*place, "at"),
                    "the step before is later",
                    "write the steps in the order of their times",
                    f"{step.at_s:g}",
                )
            last_s = step.at_s
            if config.in_turn is not None:
                yield Problem(
                    (*place, "at"),
                    "steps that are taken for one server after the other have no times",
                    "let it wait for something: `when`, `wait`",
                    f"{step.at_s:g}",
                )
        if config.in_turn is not None and step.on:
            yield Problem(
                (*place, "on"),
                "it is for the server whose turn it is",
                "leave it out, or in_turn",
                str(step.on),
            )
        yield from _one(place, step, in_turn=config.in_turn is not None)


def _one(place: tuple[str | int, ...], step: StepTable, *, in_turn: bool) -> Iterator[Problem]:
    if not step.on and not in_turn and (step.do not in _OF_NOTHING or step.when is not None):
        yield Problem((*place, "on"), f"{step.do} needs to know of what", "write on = [...]", "[]")
    if (step.do == "split") != (step.from_ is not None):
        yield Problem(
            (*place, "from"),
            "`split` and `from` belong together",
            'write do = "split", on = ["oslo"], from = "rome"',
            repr(step.from_),
        )
    if step.do == "configure" and not step.text:
        yield Problem(
            (*place, "text"), "there is nothing to replace", "write text and by", repr("")
        )
    if step.do == "withdraw" and step.for_s < LEAST_WITHDRAWN_S:
        yield Problem(
            (*place, "for"),
            f"a site leaves within {LEAST_WITHDRAWN_S:g} s at the soonest",
            f"write {LEAST_WITHDRAWN_S:g}s or more",
            f"{step.for_s:g}",
        )
    if step.do == "slow" and (not step.for_s or step.still_s >= step.period_s):
        yield Problem(
            (*place, "still"),
            "it would never move, or for no time",
            "let `still` be less than `period`, and write `for`",
            f"{step.still_s:g}",
        )


def _marks(config: DrillConfig) -> Iterator[Problem]:
    for key in ("event", "healed"):
        marked = [index for index, step in enumerate(config.steps) if getattr(step, key)]
        for index in marked[1:]:
            yield Problem(
                ("step", index, key), "another step says so already", "mark one step", "true"
            )
    healed = next((i for i, step in enumerate(config.steps) if step.healed), None)
    event = next((i for i, step in enumerate(config.steps) if step.event), 0)
    if healed is not None and healed <= event:
        yield Problem(
            ("step", healed, "healed"),
            "nothing has happened before it",
            "mark a step behind the event",
            "true",
        )
    if config.expect.back_s is not None and healed is None:
        yield Problem(
            ("expect", "back"),
            "no step is marked as the one that heals",
            "write healed = true in that step",
            f"{config.expect.back_s:g}",
        )


def _length(config: DrillConfig) -> Iterator[Problem]:
    length_s = longest_s(config)
    if length_s > LONGEST_S:
        yield Problem(
            ("after",),
            f"a run could take {length_s:g} s, and {LONGEST_S:g} s is the most",
            "let steps wait less long (`within`), or be earlier",
            f"{config.after_s:g}",
        )


def longest_s(config: DrillConfig) -> float:
    """Return how long a run takes at most."""
    now_s = 0.0
    for step in config.steps:
        now_s = max(now_s, step.at_s or 0.0)
        now_s += step.within_s if step.when is not None else 0.0
        # What is withdrawn for a time returns by itself: later steps wait for that.
        now_s += step.wait_s + (step.for_s if step.do == "slow" else 0.0)
    return config.before_s + now_s + config.after_s
