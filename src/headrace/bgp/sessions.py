"""How each session is, so that only what changes is reported. Pure: `now` is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from headrace.bgp.events import (
    DownReason,
    SessionDown,
    SessionKey,
    SessionUp,
)
from headrace.bgp.session import Session

PATIENCE_S = 10.0
"""A router that has not been reached for so long is reported; most are within two seconds."""

REMEDIES = {
    DownReason.CONNECTING: "check the link, the address, the password (MD5), the hops (TTL) and "
    "port 179 on both sides: with a wrong one the kernel drops packets without a word",
    DownReason.PEER_CLOSED: "see the router's log: it closed the connection without a reason",
    DownReason.NOTIFIED: "see the router's log: it ended the session, or refused it",
    DownReason.HOLD_TIMER: "check the link, and that both sides have TTL security or neither has: "
    "nothing came from the router for the hold time",
    DownReason.WRONG_AS: "compare `as` in [[router]] with the router's own AS, and `as` in "
    "[speaker] with the AS that the router has for this server",
    DownReason.MALFORMED: "see what the router sends: it broke the protocol",
    DownReason.TOO_MANY_PREFIXES: "raise the limit of prefixes on the router, or announce fewer",
    DownReason.BFD: "check the link: the router did not answer for the time of detection",
    DownReason.SPEAKER: "see the log of the speaker",
    DownReason.OTHER: "see the logs of the speaker and of the router",
}


class SessionStates:
    """Up, down and why, for each session."""

    def __init__(self, sessions: Iterable[Session], now_s: float) -> None:
        self._up: dict[SessionKey, bool] = {one.key: False for one in sessions}
        self._reason: dict[SessionKey, DownReason | None] = dict.fromkeys(self._up)
        self._since_s: dict[SessionKey, float] = dict.fromkeys(self._up, now_s)
        self._told_s: dict[SessionKey, float] = dict.fromkeys(self._up, now_s)

    def change(self, sessions: Iterable[Session], now_s: float) -> None:
        """Know these from now on: those known before as they are, and others as not up."""
        keys = [one.key for one in sessions]
        for key in self._up.keys() - set(keys):
            for known in (self._up, self._reason, self._since_s, self._told_s):
                del known[key]
        for key in keys:
            if key not in self._up:
                self._up[key], self._reason[key] = False, None
                self._since_s[key] = self._told_s[key] = now_s

    def __contains__(self, session: object) -> bool:
        """Return whether it is one of those configured."""
        return session in self._up

    def is_up(self, session: SessionKey) -> bool:
        """Return whether it is established."""
        return self._up[session]

    def any_up(self) -> bool:
        """Return whether any is established."""
        return any(self._up.values())

    def up(self, session: SessionKey, now_s: float) -> Iterator[SessionUp]:
        """Note that it is established."""
        if not self._up[session]:
            self._up[session] = True
            self._reason[session] = None
            self._since_s[session] = now_s
            yield SessionUp(session)

    def down(
        self, session: SessionKey, reason: DownReason, detail: str, now_s: float
    ) -> Iterator[SessionDown]:
        """Note that it ended or could not be made; the same reason again is no news."""
        was_up, former = self._up[session], self._reason[session]
        self._up[session] = False
        self._told_s[session] = now_s
        if was_up:
            self._since_s[session] = now_s
        # A router that refuses by closing says less than it said before.
        less = reason is DownReason.PEER_CLOSED and former is not None
        if was_up or (reason is not former and not less):
            self._reason[session] = reason
            yield SessionDown(session, reason, detail, REMEDIES.get(reason, ""))

    def all_down(self, reason: DownReason, detail: str, now_s: float) -> Iterator[SessionDown]:
        """Note that all that were up ended."""
        for session, up in list(self._up.items()):
            if up:
                yield from self.down(session, reason, detail, now_s)

    def overdue(self, now_s: float, hint: Callable[[], str]) -> Iterator[SessionDown]:
        """Report those that have not been reached for long, once, with what else hints at why. Why
        a session ended says nothing of why it does not come back, where nothing is heard any more.
        """
        for session, up in list(self._up.items()):
            reason = self._reason[session]
            waited_s = now_s - max(self._since_s[session], self._told_s[session])
            if not up and reason is not DownReason.CONNECTING and waited_s >= PATIENCE_S:
                known = hint()
                parts = [f"not established for {PATIENCE_S:.0f} s", known]
                parts += [] if reason is None else [f"before: {reason.value}"]
                detail = ": ".join(one for one in parts if one)
                yield from self.down(session, DownReason.CONNECTING, detail, now_s)
