"""The one table of version 1: every state, every signal, what follows.

Each step finds one signal for each server; the first that applies wins:

1. `withdraw`: an operator's wish for the server, else for its site, else the schedule, says that it
   is to be left alone; or the description does. `pin`: an operator wants it online, whatever is
   scheduled or observed.
2. `down`: a quorum of observers sees it fail, and nothing forbids to believe that: no floor, last
   server, mass failure or lack of observers. A floor or a last server make it `doubt`.
3. `drain`: an operator, the schedule, the description or the server itself wants it to end what it
   serves.
4. `over`: its report says that it is full.
5. `distrust`: it is seen to fail with so much else, or by so few, that this is not believed. One
   that failed a moment ago is taken back; what failed before that is `doubt`.
6. `doubt`: no quorum says that it serves; or its report, siblings or routers speak against it.
7. `damped`: it serves, but its flaps are not forgotten. Only one that failed is damped.
8. `warm`: it serves, and has its whole weight; `up`: it serves, and does not have it yet.
9. `unseen`: no quorum has probed it lately.

What a state is for clients: `online`, `suspect` and `recovering` get new ones by their weight (a
suspect's stays what it was), `full` by one that is lowered; `draining` keeps its own; `failed` and
`withdrawn` have none.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from headrace.feedback.states.model import State


class Signal(enum.StrEnum):
    """What all evidence of a server comes to in one step."""

    WITHDRAW = "withdraw"
    PIN = "pin"
    DOWN = "down"
    DRAIN = "drain"
    OVER = "over"
    DISTRUST = "distrust"
    DOUBT = "doubt"
    DAMPED = "damped"
    UP = "up"
    WARM = "warm"
    UNSEEN = "unseen"


_ONLINE, _SUSPECT, _FAILED, _FULL = State.ONLINE, State.SUSPECT, State.FAILED, State.FULL
_RETURNS, _DRAINS, _LEFT = State.RECOVERING, State.DRAINING, State.WITHDRAWN

_OBSERVED = (
    Signal.DOWN,
    Signal.OVER,
    Signal.DISTRUST,
    Signal.DOUBT,
    Signal.DAMPED,
    Signal.UP,
    Signal.WARM,
    Signal.UNSEEN,
)
# fmt: off
_ROWS: Mapping[State, tuple[State, ...]] = {
    # before   down     over      distrust  doubt     damped    up        warm      unseen
    _ONLINE:  (_FAILED, _FULL,    _ONLINE,  _SUSPECT, _ONLINE,  _RETURNS, _ONLINE,  _ONLINE),
    _SUSPECT: (_FAILED, _FULL,    _SUSPECT, _SUSPECT, _SUSPECT, _RETURNS, _ONLINE,  _SUSPECT),
    _FAILED:  (_FAILED, _FAILED,  _SUSPECT, _FAILED,  _FAILED,  _RETURNS, _RETURNS, _FAILED),
    _RETURNS: (_FAILED, _FULL,    _RETURNS, _RETURNS, _RETURNS, _RETURNS, _ONLINE,  _RETURNS),
    _DRAINS:  (_FAILED, _RETURNS, _RETURNS, _RETURNS, _FAILED,  _RETURNS, _RETURNS, _RETURNS),
    _LEFT:    (_FAILED, _RETURNS, _RETURNS, _RETURNS, _FAILED,  _RETURNS, _RETURNS, _RETURNS),
    _FULL:    (_FAILED, _FULL,    _FULL,    _SUSPECT, _SUSPECT, _RETURNS, _ONLINE,  _SUSPECT),
}
# fmt: on

TABLE: Mapping[tuple[State, Signal], State] = {
    **{(state, Signal.WITHDRAW): _LEFT for state in State},
    **{(state, Signal.DRAIN): _DRAINS for state in State},
    **{(state, Signal.PIN): _ONLINE for state in State},
    **{
        (state, signal): after
        for state, row in _ROWS.items()
        for signal, after in zip(_OBSERVED, row, strict=True)
    },
}
"""What follows from a state and a signal: total."""
