"""The rules of the controller, made of the configuration. Pure."""

from __future__ import annotations

from headrace.config.feedback.model import FeedbackConfig
from headrace.feedback.balance.rules import BalanceRules
from headrace.feedback.control.controller import ControllerRules
from headrace.feedback.orders import Mode
from headrace.feedback.states.rules import StateRules

PROBE_AGE_INTERVALS = 3.5
REPORT_AGE_INTERVALS = 10.0
BUSY_AGE_INTERVALS = 3.0
OBSERVER_AGE_TICKS = 3.0


def rules_of(config: FeedbackConfig) -> ControllerRules:
    """Return what the controller goes by: what is configured, and what follows from how often
    servers are probed.
    """
    names = tuple(one.node_id for one in config.observers) or (config.node_id,)
    states = StateRules(
        observers=names,
        observer_age_s=OBSERVER_AGE_TICKS * config.tick_s,
        probe_age_s=PROBE_AGE_INTERVALS * max(config.probing.interval_s, config.tick_s),
        report_age_s=REPORT_AGE_INTERVALS * config.reports.interval_s,
        busy_age_s=BUSY_AGE_INTERVALS * config.reports.interval_s,
        **config.states.model_dump(by_alias=False),
    )
    balance = BalanceRules(**config.balance.model_dump(by_alias=False))
    return ControllerRules(states, Mode(config.mode.replace("-", "_")), balance)
