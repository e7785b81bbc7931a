"""The balance's part of a step: whether it runs, and what of it is in the view. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from headrace.feedback.balance.explanation import BalanceExplanation
from headrace.feedback.balance.groups import Groups
from headrace.feedback.balance.model import NO_BALANCE, Balance
from headrace.feedback.balance.rules import BalanceRules
from headrace.feedback.balance.step import balance
from headrace.feedback.balance.weights import ByCoverage, view_weights
from headrace.feedback.observation import NodeReport
from headrace.feedback.orders import Mode
from headrace.topology.view import ServerView


@dataclass(frozen=True, slots=True)
class Balanced:
    """What the balance came to: its memory, the weights for the view, and why (None: they were not
    worked out in this step)."""

    memory: Balance
    coverage: ByCoverage
    by_class: dict[str, ByCoverage]
    explanation: BalanceExplanation | None


def balanced(
    before: Balance,
    groups: Groups,
    servers: Mapping[str, ServerView],
    reports: Mapping[str, NodeReport],
    rules: BalanceRules,
    elapsed_s: float,
    *,
    mode: Mode,
    frozen: bool,
) -> Balanced:
    """Return what the balance comes to in a mode.

    While the view is frozen weights stay as they are; the time counts, for clients continue to
    follow them.
    """
    if mode is Mode.STATES:
        return Balanced(NO_BALANCE, {}, {}, None)
    if frozen:
        since_s = None if before.since_s is None else min(before.since_s + elapsed_s, 1e9)
        memory, explanation = msgspec.structs.replace(before, since_s=since_s), None
    else:
        applied = mode is Mode.BOTH
        step = balance(before, groups, servers, reports, rules, elapsed_s, applied=applied)
        memory, explanation = step.memory, step.explanation
    coverage, by_class = view_weights(memory, groups.topology) if mode is Mode.BOTH else ({}, {})
    return Balanced(memory, coverage, by_class, explanation)
