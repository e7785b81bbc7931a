"""What a configuration says, as the values that checks and plans take. Pure."""

from __future__ import annotations

from headrace.config.vip.checking import CheckTable
from headrace.config.vip.model import VipConfig
from headrace.errors import HeadraceError
from headrace.topology.model import Server
from headrace.vip.checks.judged import Check
from headrace.vip.plan.health import HealthRules

LEAST_AGE_S = 2.0
LONGEST_HALF_LIVES = 5.0


class NoPortError(HeadraceError):
    """A check cannot be made, for the server does not serve that way."""


def rules_of(config: VipConfig) -> HealthRules:
    """Return when a VIP is sound. What was found counts for two rounds, or two seconds."""
    checking = config.checking
    round_s = checking.interval_s + checking.timeout_s
    return HealthRules(
        failures=checking.failures,
        successes=checking.successes,
        check_age_s=max(LEAST_AGE_S, 2 * round_s),
        half_life_s=checking.half_life_s,
        longest_suppress_s=LONGEST_HALF_LIVES * checking.half_life_s,
    )


def checks_of(config: VipConfig, server: Server) -> tuple[Check, ...]:
    """Return what is asked for at each VIP of this server. Raises NoPortError."""
    return tuple(_check(one, server) for one in config.checks)


def _check(table: CheckTable, server: Server) -> Check:
    secure = server.https_port is not None if table.https == "auto" else table.https
    port = server.https_port if secure else server.http_port
    if port is None:
        kind = "https" if secure else "http"
        raise NoPortError(
            f"[[check]] {table.host}{table.path} needs the {kind}_port of {server.name}, which "
            "the description says it does not have"
        )
    return Check(table.host, table.path, port, secure, table.sha256, table.stored)
