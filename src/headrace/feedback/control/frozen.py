"""The view while the automation is stopped: as it was, but for what operators say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from headrace.feedback.orders import Wish
from headrace.feedback.states.wanted import Wanted
from headrace.topology.view import Cause, ServerState, ServerView, View

_BY_WISH: Mapping[Wish, ServerView] = {
    Wish.ONLINE: ServerView(),
    Wish.DRAINING: ServerView(ServerState.DRAINING, cause=Cause.ORDERED),
    Wish.WITHDRAWN: ServerView(ServerState.FAILED, cause=Cause.ORDERED),
}


def frozen_view(kept: View, wishes: Mapping[str, Wanted]) -> View:
    """Return a view that was kept, under what is wanted of servers now."""
    if not wishes:
        return kept
    said = {
        name: _BY_WISH[one.wish]
        if one.wish is Wish.ONLINE
        else replace(_BY_WISH[one.wish], until=one.until)
        for name, one in wishes.items()
        if one.wish in _BY_WISH
    }
    return replace(kept, servers={**kept.servers, **said})


def to_keep(view: View, wishes: Mapping[str, Wanted]) -> View:
    """Return what is kept of a view: what operators want is said again at every step."""
    servers = {name: one for name, one in view.servers.items() if name not in wishes}
    return replace(view, servers=servers, version=1, made_at=0.0)
