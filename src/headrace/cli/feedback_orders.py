"""Orders of operators to the feedback loop: given, followed until all know them, and listed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

import typer

from headrace.cli.admin_client import EXIT_REFUSED, AdminClient, harmless, run, who
from headrace.cli.tables import utc
from headrace.feedback.admin.models import Done, OrderList, OrderRow

KNOWN_WITHIN_S: Final = 3.0
"""For so long a command waits until all observers that are heard know of an order."""
ASK_AGAIN_S: Final = 0.2
_WORDS: Final = {("view", "none"): "thawed", ("mode", "none"): "configured"}
"""What takes back is said by the name of its command."""


def give(command: str, client: AdminClient, what: str, body: dict[str, object]) -> None:
    """Give an order, wait until all that are heard know of it, and say what became of it: the exit
    code is 1 where another overrules it.
    """

    def work() -> tuple[Done, OrderList]:
        done = client.ask(Done, "POST", f"/feedback/{what}", {**body, "by": who()})
        return done, _known(client, done)

    done, found = run(command, work)
    row = row_of(found, done)
    for line in told(found, row):
        typer.echo(harmless(line))
    if row is None or row.overruled_by or found.aside:
        raise typer.Exit(EXIT_REFUSED)


def row_of(found: OrderList, done: Done) -> OrderRow | None:
    """Return what became of an order; None when another replaced it."""
    dot = (done.observer, done.sequence)
    return next((one for one in found.orders if (one.observer, one.sequence) == dot), None)


def told(found: OrderList, row: OrderRow | None) -> Iterator[str]:
    """Yield what an operator is to know of the order that he gave."""
    if row is None:
        yield "another order about the same was given since: see headrace feedback orders"
        return
    if row.state == "overruled":
        yield f"overruled by another order, given at the same time: {row.overruled_by}"
        yield "give yours again if it is to count all the same"
    elif row.overruled_by:
        yield f"taken back, but another order was given at the same time: {row.overruled_by}"
        yield "give yours again if that is to be taken back as well"
    elif found.aside:
        yield f"kept, and not in force: {row.observer} is cut off, and nodes go by views of others"
        yield f"give it at one of these: {', '.join(found.not_heard)}"
    else:
        until = "" if row.until is None else f" until {utc(row.until)}"
        yield f"in force{until}" if row.state == "in_force" else "taken back"
    others = [name for name in row.known_by if name != row.observer]
    if others:
        yield f"known by {row.observer}, {', '.join(others)}"
    if row.heard_without:
        yield f"not yet known by {', '.join(row.heard_without)}"
    if found.not_heard:
        yield f"not heard now: {', '.join(found.not_heard)}; told as soon as that is possible"
    yield from _unkept(found, others)


def order_lines(found: OrderList) -> Iterator[str]:
    """Yield the orders as lines of text, the newest first."""
    for one in found.orders:
        reason = f": {one.reason}" if one.reason else ""
        by = f" by {one.by}" if one.by else ""
        state = one.state.replace("_", " ")
        if one.overruled_by:
            state += f"; {one.overruled_by}" if one.wants == "none" else f" by {one.overruled_by}"
        if one.until is not None and one.state == "in_force":
            state += f" until {utc(one.until)}"
        subject = f"{one.subject} {_WORDS.get((one.kind, one.wants), one.wants)}"
        yield f"{utc(one.at)}  {subject}{by} at {one.observer or '?'}{reason}"
        yield f"    {state}; known by {', '.join(one.known_by)}"
        if one.heard_without:
            yield f"    not yet by {', '.join(one.heard_without)}"
    if found.not_heard:
        yield f"not heard: {', '.join(found.not_heard)}"
    if found.aside:
        yield "this observer is cut off, and publishes nothing: ask and order at another"
    yield from _unkept(found, ())


def _unkept(found: OrderList, others: Sequence[str]) -> Iterator[str]:
    """Yield what is to be said of orders that the observer has not written down."""
    if not found.kept:
        problem = found.not_kept or "not yet"
        lost = "" if others else "; a restart forgets what no other observer knows"
        yield f"not written down: {problem}; tried again until it is{lost}"


def _known(client: AdminClient, done: Done) -> OrderList:
    """Wait until all that are heard know an order, and it is written down; for a bounded time."""
    ends_s = time.monotonic() + KNOWN_WITHIN_S
    while True:
        found = client.ask(OrderList, "GET", "/feedback/orders")
        row = row_of(found, done)
        settled = row is None or not row.heard_without
        if (settled and (found.kept or found.not_kept)) or time.monotonic() >= ends_s:
            return found
        time.sleep(ASK_AGAIN_S)
