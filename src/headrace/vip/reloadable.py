"""What a reload may change of a process that announces, made of a configuration before it is taken:
how VIPs, neighbours and the edge are asked, and which routers are spoken with. No address depends
on it.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from headrace.bgp.events import SessionKey
from headrace.bgp.session import Session
from headrace.config.vip.model import VipConfig
from headrace.topology.model import Server
from headrace.vip.checks.checker import Pace
from headrace.vip.checks.judged import Check
from headrace.vip.edge_admin import EdgeAdmin
from headrace.vip.plan.health import HealthRules
from headrace.vip.rules import checks_of, rules_of
from headrace.vip.site.neighbours import Asking
from headrace.vip.speak.made import check_sessions, sessions_of


@dataclass(frozen=True, slots=True)
class Reloadable:
    """All of it. `edge` asks nothing before it is run (None: there is none to be asked)."""

    config: VipConfig
    rules: HealthRules
    pace: Pace
    asking: Asking
    edge: EdgeAdmin | None
    sessions: tuple[Session, ...]
    passwords: Mapping[SessionKey, str]

    def checks_of(self, server: Server) -> tuple[Check, ...]:
        """Return what a server is asked for. Raises NoPortError."""
        return checks_of(self.config, server)

    def check_of(self, server: Server) -> Check:
        """Return what another server is asked for. Raises NoPortError."""
        return self.checks_of(server)[0]


def reloadable(config: VipConfig, former: tuple[Session, ...] | None = None) -> Reloadable:
    """Return it; `former` are the sessions so far, None at the start.

    Raises HeadraceError for a token, or passwords, or OSError for authorities of no use.
    """
    sessions = sessions_of(config, former or ())
    # At the start they may be missing: the speaker is started again and again until they are there.
    passwords = {} if former is None else check_sessions(config, sessions)
    checking, asking, edge = config.checking, config.neighbours, config.edge
    ca = None if checking.ca is None else str(checking.ca)
    context = ssl.create_default_context(cafile=ca)
    return Reloadable(
        config,
        rules_of(config),
        Pace(checking.interval_s, checking.timeout_s, checking.connection_s, context),
        Asking(asking.port, asking.interval_s, asking.timeout_s, context),
        None if edge is None else EdgeAdmin(edge.admin, edge.token_file),
        sessions,
        passwords,
    )
