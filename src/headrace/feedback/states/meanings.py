"""What states, reasons and alarms mean, in words: for people, and for the page about states."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.feedback.states.model import AlarmKind, State, Why

STATES: Mapping[State, str] = {
    State.ONLINE: "It serves.",
    State.SUSPECT: "Something speaks against it. It gets as many new clients as before.",
    State.FAILED: "It gets nothing.",
    State.RECOVERING: "It serves again: its weight rises in steps.",
    State.DRAINING: "It ends what it serves, and gets new clients only when no other is left.",
    State.WITHDRAWN: "Nobody asks it.",
    State.FULL: "It sends nearly all that it can: its weight falls until it does not.",
}

REASONS: Mapping[Why, str] = {
    Why.OPERATOR: "An operator wants it so.",
    Why.SCHEDULE: "A `[[withdrawal]]` of the description is on.",
    Why.DESCRIPTION: "Its `state` in the description says so.",
    Why.NODE_DRAINS: "It reports that it drains.",
    Why.VIPS_AWAY: "Its VIPs are announced by its neighbours, and not by itself.",
    Why.REFUSED: "Its address refuses connections: nothing listens.",
    Why.UNREACHABLE: "There is no way to its address.",
    Why.TIMEOUT: "No connection in time, or no whole response.",
    Why.TLS: "The TLS handshake failed, or its certificate is not valid.",
    Why.MALFORMED: "What it sends is not HTTP, or larger than it may be.",
    Why.STATUS: "It answers with another status.",
    Why.WRONG_BYTES: "It sends another body than it should.",
    Why.CUT: "It ends the connection in the middle of a response.",
    Why.SLOW: "It sends what it should, later than it should, several times in a row.",
    Why.LOSSY: "Many of its probes fail, though not in a row.",
    Why.NOT_READY: "It reports that it is not ready, and answers probes.",
    Why.IMPAIRED: "It reports that it serves, but with less than it has: its disk takes nothing.",
    Why.NO_REPORT: "It no longer reports, and answers probes.",
    Why.OTHERS_FAIL: "Several servers ask it in vain, and it answers probes.",
    Why.NO_QUORUM: "Too few observers have probed it lately, or they disagree.",
    Why.OVERLOADED: "It leaves probes without an answer, and reports that it is busy serving.",
    Why.OVER_CAPACITY: "It sends nearly all that it can.",
    Why.SERVES: "A quorum sees it serve.",
    Why.RAMPED: "It has returned to its whole weight.",
    Why.NEW: "It is new in the description.",
    Why.DAMPED: "It serves, but has failed too often lately.",
    Why.FLOOR: "It fails, but no fewer servers of its site may serve.",
    Why.LAST: "It fails, but is the last that clients of a coverage have.",
    Why.MASS_FAILURE: "It seems to fail with much else: that is not believed.",
    Why.SITE_LOST: "Its site is gone, while nearly all others serve.",
    Why.FEW_OBSERVERS: "It seems to fail, but too few observers say so.",
}

REMEDIES: Mapping[AlarmKind, str] = {
    AlarmKind.MASS_FAILURE: (
        "Look at the `[[probe]]`'s object and the observers' network first. Servers that are "
        "really gone: `headrace feedback want SERVER withdrawn`."
    ),
    AlarmKind.SITE_FAILURE: (
        "`headrace feedback why` of its servers. Are they really gone: `headrace feedback want "
        "SITE withdrawn`."
    ),
    AlarmKind.FEW_OBSERVERS: "Start the observers that are not heard, or mend the way to them.",
    AlarmKind.UNSOUND_OBSERVER: "Look at that observer's network, and its `[probing] ca`.",
    AlarmKind.FLOOR: (
        "Mend one of them. Are clients better off without it: `headrace feedback want SERVER "
        "withdrawn`."
    ),
    AlarmKind.LAST: "Mend it: clients have no other.",
    AlarmKind.UNPROBED: "Look why its probes do not end: `headrace feedback why SERVER`.",
    AlarmKind.OBSERVERS_DIFFER: "Make `[[observer]]` the same at all of them, and reload.",
    AlarmKind.SENIOR_DIFFERS: (
        "`headrace feedback why` here and there. Is it the one that is wrong: stop it, and the "
        "next decides."
    ),
    AlarmKind.CLOCKS_DIFFER: (
        "`timedatectl` on both; start the time service. Give no order with `--for` at the one that "
        "is wrong."
    ),
    AlarmKind.ASIDE: (
        "Mend the way between the observers. Ask, and give orders, at another meanwhile."
    ),
}

ALARMS: Mapping[AlarmKind, str] = {
    AlarmKind.MASS_FAILURE: "Most servers seem to fail at once. No state gets worse.",
    AlarmKind.SITE_FAILURE: "Most servers of a site seem to fail at once.",
    AlarmKind.FEW_OBSERVERS: "Too few observers can be believed: no server is taken out.",
    AlarmKind.UNSOUND_OBSERVER: "It is not heard: it sees most fail that others see serve.",
    AlarmKind.FLOOR: "Servers of a site fail and are kept, since no fewer may serve.",
    AlarmKind.LAST: "The last server that clients of a coverage have fails, and is kept.",
    AlarmKind.UNPROBED: "It decides before its probes have said anything of these servers.",
    AlarmKind.OBSERVERS_DIFFER: "Observers have different lists of observers.",
    AlarmKind.SENIOR_DIFFERS: "What is published is not what follows from what is observed.",
    AlarmKind.CLOCKS_DIFFER: "An observer's clock is far from another's: it is not followed.",
    AlarmKind.ASIDE: "It is cut off, and publishes nothing: nodes go by views of others.",
}
