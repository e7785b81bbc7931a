"""A worker's answers to those who look live: the supervisor's questions for `headrace log` and
`top`.

Costs are bounded by the watch (see telemetry.watch); of connections, CLIENTS_VISITED clients at
most are visited each time, so that a crowd of them does not hold the event loop.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice

from headrace.http.server.context import ServerContext
from headrace.node.live.messages import Follow, GetFigures, Leave, Lines, LiveQuestion, Seen
from headrace.telemetry.access_line import ClientAddress, shown_address
from headrace.telemetry.filter_words import FilterError
from headrace.telemetry.watch import Followed, Watch

CLIENTS_VISITED = 4096
CLIENTS_NAMED = 50
ELSEWHERE = "-"  # clients without an address (Unix sockets), or whose address is not shown


def live_answer(
    question: LiveQuestion,
    watch: Watch,
    server: ServerContext,
    client_address: ClientAddress,
) -> Lines | Seen | None:
    """Return the answer to one question; None where none is due."""
    now_s = time.monotonic()
    match question:
        case Follow():
            try:
                followed = watch.follow(
                    question.follower,
                    question.filter,
                    question.lines_per_s,
                    question.sample,
                    now_s,
                )
            except FilterError:
                followed = Followed()  # the admin API has refused it already
            return Lines(followed)
        case Leave(follower=follower):
            watch.leave(follower, now_s)
            return None
        case GetFigures():
            largest, unlisted = most_connected(server.clients(), client_address)
            return Seen(watch.figures(now_s), largest, unlisted)


def most_connected(
    clients: Iterable[tuple[str, int]], client_address: ClientAddress
) -> tuple[dict[str, int], int]:
    """Return who holds most connections, as far as may be shown; and how many all others hold."""
    found: Counter[str] = Counter()
    rest = iter(clients)
    for address, connections in islice(rest, CLIENTS_VISITED):
        found[shown_address(address, client_address) or ELSEWHERE] += connections
    largest: Mapping[str, int] = dict(found.most_common(CLIENTS_NAMED))
    unlisted = found.total() - sum(largest.values()) + sum(count for _address, count in rest)
    return dict(largest), unlisted
