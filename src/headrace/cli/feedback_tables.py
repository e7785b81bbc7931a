"""The feedback loop's state as lines of text. Pure."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Any

from headrace.cli.admin_client import harmless
from headrace.cli.tables import part, utc
from headrace.config.units import format_bit_rate, rounded_bit_rate
from headrace.feedback.admin.models import ObserverRow, ServerRow, SiteRow, Status

_ORDER = ("failed", "withdrawn", "draining", "full", "suspect", "recovering", "online")


def status_lines(found: Status, width: int) -> list[str]:
    """Return the whole state as lines, none wider than `width`; what is not well comes first."""
    lines = [_headline(found)]
    lines += [part for line in _warnings(found) for part in _wrapped(harmless(line), width)]
    lines += part(
        ["OBSERVER", "HEARD", "DECIDES", "HEARS", "PROBES"],
        [_observer(one, found) for one in found.observers],
        width,
    )
    lines += part(
        ["SITE", "KIND", "SERVING", "SENDS", "CAN", "USED", "TARGET"],
        [_site(one) for one in found.sites],
        width,
    )
    lines += part(
        ["SERVER", "SITE", "STATE", "SINCE", "WEIGHT", "USED", "PROBE", "WHY"],
        [_server(one) for one in sorted(found.servers, key=_rank)],
        width,
    )
    return [line[:width] for line in lines]


def _warnings(found: Status) -> Iterator[str]:
    """Yield what is not as it should be, and what to do about it."""
    if found.frozen:
        because = f": {found.frozen_because}" if found.frozen_because else ""
        by = found.frozen_by or "an operator"
        yield f"FROZEN by {by}{because}; headrace feedback thaw ends it"
    for order in found.overruled:
        yield f"OVERRULED {order}"
    for one in found.observers:
        if not _is_heard(one):
            problem = one.problem or "it has said nothing yet"
            yield f"observer {one.observer} is not heard: {problem}"
    for what, problem in sorted(found.not_kept.items()):
        yield f"NOT WRITTEN DOWN {what}: {problem}; a restart of this observer may forget it"
    for alarm in found.alarms:
        about = " ".join(("ALARM", alarm.kind, alarm.subject)).strip()
        yield f"{about}: {alarm.text}" + (f". {alarm.remedy}" if alarm.remedy else "")


def _wrapped(line: str, width: int) -> list[str]:
    """Return a line as several, none wider than `width`: what is at its end is what to do."""
    return textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False)


def event_line(line: bytes) -> str:
    """Return an event of the history as a line of text; what is none, as it is."""
    try:
        return _told(json.loads(line))
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        OSError,
        RecursionError,
    ):
        return line.decode(errors="backslashreplace")


def event_json(line: bytes) -> str:
    """Return an event of the history as JSON on a line, without what a terminal would obey; what
    is none, as it is but for that.
    """
    text = line.decode(errors="backslashreplace")
    if text.isprintable():
        return text
    try:
        return json.dumps(json.loads(line), separators=(",", ":"))
    except (ValueError, RecursionError):
        return harmless(text)


def _told(event: dict[str, Any]) -> str:
    at = utc(event.get("at", 0.0))
    if "alarm" in event:
        word = "alarm" if event.get("raised") else "no more"
        about = " ".join((event["alarm"], event.get("subject", ""))).strip()
        return f"{at}  {word}: {about}: {event.get('text', '')}"
    reasons = ", ".join(event.get("reasons", ()))
    note = f" ({event['note']})" if event.get("note") else ""
    return (
        f"{at}  {event.get('server', '')}: {event.get('before', '')} -> {event.get('after', '')}: "
        f"{reasons}{note}"
    )


def _headline(found: Status) -> str:
    states = Counter(one.state for one in found.servers)
    counts = ", ".join(f"{states[state]} {state}" for state in _ORDER if states[state])
    age = "no view yet" if found.view_age_s is None else f"view {found.view}"
    return (
        f"{found.observer}: decides {found.decides or 'nobody'}; {age}; mode "
        f"{found.mode.replace('_', '-')}; {counts or 'no servers'}"
    )


def _is_heard(one: ObserverRow) -> bool:
    return one.age_s is not None and not one.problem


def _observer(one: ObserverRow, found: Status) -> list[str]:
    mark = " *" if one.observer == found.decides else ""
    heard = "never" if one.age_s is None else _age(one.age_s)
    hears = f"{len(one.hears)} of {len(found.observers)}"
    return [one.observer + mark, heard, one.decides or "-", hears, str(one.probes)]


def _site(one: SiteRow) -> list[str]:
    return [
        one.site,
        one.kind,
        f"{one.serving}/{one.servers}",
        "-" if one.egress_bps is None else rounded_bit_rate(one.egress_bps),
        format_bit_rate(round(one.capacity_bps)) if one.capacity_bps or one.servers else "-",
        "-" if one.used is None else f"{one.used:.0%}",
        f"{one.target:.0%}" if one.capacity_bps or one.servers else "-",
    ]


def _server(one: ServerRow) -> list[str]:
    probe = "-" if one.total_s is None else f"{one.total_s * 1000:.0f} ms"
    said = [f"wish:{one.wish}"] if one.wish else []
    said += [f"view:{one.seen}"] if one.seen else []
    why = ",".join([*said, *one.reasons]) or "-"
    return [
        one.server,
        one.site,
        one.state,
        _age(one.for_s),
        f"{one.weight:.2f}",
        "-" if one.used is None else f"{one.used:.0%}",
        probe,
        why,
    ]


def _rank(one: ServerRow) -> tuple[int, str, str]:
    place = _ORDER.index(one.state) if one.state in _ORDER else 0
    return place, one.site, one.server


def _age(seconds: float) -> str:
    """Return a time as people say it: `4 s`, `12 min`, `3 h`, `5 d`."""
    for most, unit, length in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < most:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"
