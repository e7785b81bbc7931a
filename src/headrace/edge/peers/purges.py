"""Purges among servers: what this one tells others of its own, and what others' mean here. Pure.

An asker names the times of the purges that it knows of; whoever is asked compares them with when
the fill of what it has began. That time goes along with each answer between servers, so that a
copy is as old as its first one, however many servers it has come through.
"""

from __future__ import annotations

import math
from typing import Final

from headrace.cache.record import StoredResponse
from headrace.http.message import Field, Headers
from headrace.store.purge_rules import PurgeEffect, RuleSet
from headrace.upstream.peering import MOST_TAGS, NO_PURGES, PurgeTimes, TagPurge, tag_digest

BEGAN: Final = b"headrace-began"
"""How many milliseconds ago the fill of what an answer is made of began. Only between servers."""

MOST_DIGITS: Final = 15


def effect(purges: PurgeTimes, stored: StoredResponse) -> PurgeEffect:
    """Return what purges that an asker knows of make of a record, for this asker."""
    began = stored.began_at
    if began < purges.not_before:
        return PurgeEffect.HARD
    found = PurgeEffect.SOFT if began < purges.stale_before else PurgeEffect.KEPT
    if not stored.tags:
        return found
    if began < purges.tagged_before:
        return PurgeEffect.HARD
    if purges.tags:
        digests = {tag_digest(tag) for tag in stored.tags}
        for purge in purges.tags:
            if purge.digest in digests and began < purge.before:
                if not purge.soft:
                    return PurgeEffect.HARD
                found = PurgeEffect.SOFT
    return found


def times_of(rules: RuleSet, key: bytes) -> PurgeTimes:
    """Return the times of our own purges that hit, or may hit, what is stored under a key."""
    if not rules.rules:
        return NO_PURGES
    not_before = stale_before = 0.0
    for rule in rules.of_key(key):
        if rule.soft:
            stale_before = max(stale_before, rule.made_at)
        else:
            not_before = max(not_before, rule.made_at)
    newest = rules.newest_by_tag(key, MOST_TAGS + 1)
    tags = tuple(TagPurge(tag_digest(rule.value), rule.made_at, rule.soft) for rule in newest)
    return _bounded(PurgeTimes(not_before, stale_before), tags, 0.0)


def newest_of(one: PurgeTimes, other: PurgeTimes) -> PurgeTimes:
    """Return what two servers know together."""
    if other is NO_PURGES:
        return one
    if one is NO_PURGES:
        return other
    tags = sorted((*one.tags, *other.tags), key=lambda tag: -tag.before)
    times = PurgeTimes(
        max(one.not_before, other.not_before), max(one.stale_before, other.stale_before)
    )
    return _bounded(times, tuple(tags), max(one.tagged_before, other.tagged_before))


def _bounded(times: PurgeTimes, tags: tuple[TagPurge, ...], others: float) -> PurgeTimes:
    """Return the times with the newest of the tags by name, and those beyond in one."""
    for tag in tags[MOST_TAGS:]:
        others = max(others, tag.before)
    return PurgeTimes(times.not_before, times.stale_before, tags[:MOST_TAGS], others)


def began_field(stored: StoredResponse, now: float) -> Field:
    """Return the field that says how long ago the fill of a record began."""
    ago_ms = math.ceil((now - stored.began_at) * 1000)  # rather too long ago
    return (BEGAN, b"%d" % max(0, min(ago_ms, 10**MOST_DIGITS - 1)))


def began_at(headers: Headers, request_time: float) -> float:
    """Return when the fill of another server's answer began: by our clock, and rather too early.

    An answer that does not say so was fetched for this request.
    """
    value = headers.get(BEGAN)
    if value is None or not value.isdigit() or len(value) > MOST_DIGITS:
        return request_time
    return request_time - int(value) / 1000
