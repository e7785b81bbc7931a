"""When much fails at once: is it the network, or those who observe it? Pure.

Most of everything seldom fails at once, and observers have a network of their own. So then the last
state is kept, and people are called. But a site may lose its power: where its servers are not there
at all, and nearly all others are seen to serve by the same observers, the observers are fine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from headrace.feedback.states.groups import Groups
from headrace.feedback.states.model import SERVING, Alarm, AlarmKind, ServerRecord, State, Why
from headrace.feedback.states.quorum import Verdict
from headrace.feedback.states.rules import StateRules


@dataclass(frozen=True, slots=True)
class Mass:
    """What is held because so much fails, by server; `lost` are the sites that are believed to be
    gone."""

    held: Mapping[str, Why]
    lost: frozenset[str]
    alarms: tuple[Alarm, ...]


@dataclass(slots=True)
class _Site:
    """How many servers of a site are in question, and how many of those look bad; of the bad, how
    many have failed, are not there at all, or refuse; and how many look well."""

    name: str
    counted: int = 0
    bad: int = 0
    down: int = 0
    dead: int = 0
    refused: int = 0
    well: int = 0

    def has_failed(self, rules: StateRules) -> bool:
        """Return whether so much of it fails that it is more than servers."""
        return self.bad >= rules.mass_least and self.bad > rules.mass * self.counted

    def is_gone(self, rules: StateRules) -> bool:
        """Return whether most of it is not there at all."""
        return self.dead > rules.mass * self.counted


def find_mass(
    groups: Groups,
    records: Mapping[str, ServerRecord],
    verdicts: Mapping[str, Verdict],
    leaving: Collection[str],
    rules: StateRules,
) -> Mass:
    """Return what to hold. `leaving` are servers that operators want no more: they do not count."""
    sites = _count(groups, records, verdicts, leaving, rules)
    if not any(site.bad for site in sites):
        return Mass({}, frozenset(), ())
    lost = _lost(sites, rules)
    rest = [site for site in sites if site.name not in lost]
    bad, counted = sum(site.bad for site in rest), sum(site.counted for site in rest)
    if _is_mass(rest, bad, counted, rules):
        text = f"{bad} of {counted} servers look failed at once: their states are kept"
        held = dict.fromkeys(records, Why.MASS_FAILURE)
        alarm = Alarm(AlarmKind.MASS_FAILURE, "", text)
        return Mass(held, frozenset(), (alarm,) if any(site.down for site in rest) else ())
    return _by_site(groups, sites, lost, verdicts, rules)


def _is_mass(sites: list[_Site], bad: int, counted: int, rules: StateRules) -> bool:
    """Return whether so much fails that the observers are the likelier fault: most of it; or all of
    few servers, of which no host says itself that nothing listens.
    """
    if bad >= rules.mass_least and bad > rules.mass * counted:
        return True
    return bad == counted >= 2 and not any(site.refused for site in sites)


def _by_site(
    groups: Groups,
    sites: list[_Site],
    lost: frozenset[str],
    verdicts: Mapping[str, Verdict],
    rules: StateRules,
) -> Mass:
    held: dict[str, Why] = {}
    alarms: list[Alarm] = []
    for site in sites:
        if not site.has_failed(rules):
            continue
        gone = site.name in lost
        for server in groups.by_site[site.name]:
            verdict = verdicts[server.name]
            sure = verdict.refused or verdict.failures >= rules.site_failures
            if not gone or not (verdict.dead and sure):
                held[server.name] = Why.MASS_FAILURE
        what = "it is taken out" if gone else "its servers' states are kept"
        text = f"{site.bad} of {site.counted} servers look failed at once: {what}"
        if site.down:  # single probes that failed are not worth an alarm
            alarms.append(Alarm(AlarmKind.SITE_FAILURE, site.name, text))
    return Mass(held, lost, tuple(alarms))


def _count(
    groups: Groups,
    records: Mapping[str, ServerRecord],
    verdicts: Mapping[str, Verdict],
    leaving: Collection[str],
    rules: StateRules,
) -> list[_Site]:
    """Return the sites, by those servers that serve or failed a short time ago.

    One failed probe counts, or some that were slow: while some servers have failed for good, others
    are about to.
    """
    sites = []
    for name, servers in groups.by_site.items():
        site = _Site(name)
        for server in servers:
            record, verdict = records[server.name], verdicts[server.name]
            lately = record.state is State.FAILED and record.for_s <= rules.mass_window_s
            if server.name in leaving or not (record.state in SERVING or lately):
                continue
            site.counted += 1
            site.well += verdict.successes > 0 and not verdict.down
            if verdict.down or verdict.failures > 0 or 2 * verdict.slow >= rules.slow:
                site.bad += 1
                site.down += verdict.down
                site.dead += verdict.dead
                site.refused += verdict.refused
        if site.counted:
            sites.append(site)
    return sites


def _lost(sites: list[_Site], rules: StateRules) -> frozenset[str]:
    """Return the sites that are gone while nearly all others serve."""
    counted = sum(site.counted for site in sites)
    bad = sum(site.bad for site in sites)
    well = sum(site.well for site in sites)
    return frozenset(
        site.name
        for site in sites
        if site.has_failed(rules)
        and site.is_gone(rules)
        and well > site.well
        and bad - site.bad <= rules.site_others * (counted - site.counted)
    )
