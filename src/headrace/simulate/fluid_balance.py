"""The balance as the policy of a fluid network. Version 1 is what the fluid says of servers."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.feedback.balance.explanation import BalanceExplanation
from headrace.feedback.balance.groups import Groups
from headrace.feedback.balance.model import NO_BALANCE, Balance
from headrace.feedback.balance.rules import DEFAULT_RULES, BalanceRules
from headrace.feedback.balance.step import balance
from headrace.feedback.balance.weights import view_weights
from headrace.feedback.observation import NodeReport
from headrace.simulate.fluid import Policy
from headrace.topology.model import Topology
from headrace.topology.view import ServerView, View


class Balancing(Policy):
    """The balance between sites. Without `applied`, what it comes to has no effect."""

    def __init__(
        self, topology: Topology, rules: BalanceRules = DEFAULT_RULES, *, applied: bool = True
    ) -> None:
        self.topology = topology
        self.memory: Balance = NO_BALANCE
        self.explanation: BalanceExplanation | None = None
        self._groups = Groups(topology)
        self._rules = rules
        self._applied = applied

    def step(
        self,
        servers: Mapping[str, ServerView],
        reports: Mapping[str, NodeReport],
        elapsed_s: float,
    ) -> View:
        """Return the view."""
        made = balance(
            self.memory,
            self._groups,
            servers,
            reports,
            self._rules,
            elapsed_s,
            applied=self._applied,
        )
        self.memory = made.memory
        self.explanation = made.explanation or self.explanation
        if not self._applied:
            return View(servers=servers)
        coverage, by_class = view_weights(self.memory, self.topology)
        return View(servers=servers, coverage=coverage, by_class=by_class)
