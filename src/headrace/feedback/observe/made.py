"""What asks nodes, as a configuration says it."""

from __future__ import annotations

from headrace.config.feedback.model import FeedbackConfig
from headrace.feedback.observe.prober import ProbeTimes
from headrace.feedback.observe.reports import PullTimes, ReportPuller
from headrace.feedback.rules import REPORT_AGE_INTERVALS
from headrace.node.admin.token import token_in


def puller_of(config: FeedbackConfig) -> ReportPuller | None:
    """Return what pulls reports; None where no token is configured. Raises TokenError."""
    pulling = config.reports
    if pulling.token_file is None:
        return None
    times = PullTimes(
        pulling.interval_s, pulling.timeout_s, REPORT_AGE_INTERVALS * pulling.interval_s
    )
    return ReportPuller((), token_in(pulling.token_file), times, config.probing.ca)


def probe_times_of(config: FeedbackConfig) -> ProbeTimes:
    """Return how often and for how long servers are probed."""
    probing = config.probing
    return ProbeTimes(probing.interval_s, probing.timeout_s, probing.slow_s, probing.keep_alive)
