"""`headrace top`: what a running edge or router is busy with, drawn again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from headrace.cli.admin_client import (
    AdminClient,
    AdminOption,
    ConfigOption,
    TokenOption,
    find_admin,
    harmless,
    run,
)
from headrace.cli.role_file import RoleName
from headrace.cli.tables import part, watch_looks
from headrace.node.admin.activity import MOST_ROWS, USUAL_ROWS, Top

PLAIN_WIDTH = 100
ROLES = (RoleName.EDGE, RoleName.ROUTER)


def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print it once and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON objects, one each time.")] = False,
    interval: Annotated[
        float, typer.Option(min=1.0, max=60.0, help="Seconds between tables.")
    ] = 2.0,
    limit: Annotated[
        int, typer.Option(min=1, max=MOST_ROWS, help="Rows of each list.")
    ] = USUAL_ROWS,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what a running edge or router is busy with, until Ctrl-C.

    Rates, hit ratio, services, slowest origins, hottest objects and busiest clients.

    The first table begins the count: what is shown happened since the table before. Without a
    terminal the tables follow one another as plain text.
    """
    client = run("top", lambda: find_admin(admin, token_file, config, *ROLES))
    drawn = sys.stdout.isatty() and not once and not as_json
    watch_looks(
        "top",
        _looks(client, interval, limit, once=once),
        _lines,
        first="headrace top: counting…",
        plain_width=PLAIN_WIDTH,
        as_json=as_json,
        drawn=drawn,
    )


def _looks(client: AdminClient, interval_s: float, limit: int, *, once: bool) -> Iterator[Top]:
    """Yield what was counted in each interval; the first question only begins to count."""
    path = f"/top?limit={limit}"
    client.ask(Top, "GET", path)
    while True:
        time.sleep(interval_s)
        yield client.ask(Top, "GET", path)
        if once:
            return


def _lines(top: Top, width: int) -> list[str]:
    return [*table(top, width), ""]


def table(top: Top, width: int) -> list[str]:
    """Return the figures as lines of text, none wider than `width`."""
    lines = _of_edge(top) if top.caches else _of_router(top)
    if top.silent:
        lines.insert(0, f"no answer from {', '.join(top.silent)}: its part is missing below")
    word = "SERVICE" if top.caches else "CLASS"
    lines += part(*_services(top, word), width)
    lines += part(
        ["SLOWEST ORIGINS", "WAIT", "REQ/S", "FAILED/S"],
        [
            [
                row.origin,
                f"{row.wait_s * 1000:.1f} ms",
                f"{row.requests_per_s:g}",
                f"{row.failures_per_s:g}",
            ]
            for row in top.origins
        ],
        width,
    )
    sampled = max(1, top.objects_sampled)
    lines += part(
        ["HOTTEST OBJECTS", word, "SHARE"],
        [[row.url, row.service, share(row.count / sampled)] for row in top.objects],
        width,
    )
    lines += part(
        ["MOST CONNECTIONS", "OPEN"],
        [[row.client, str(row.connections)] for row in top.clients],
        width,
    )
    return [harmless(line[:width]) for line in lines]


def _of_edge(top: Top) -> list[str]:
    return [
        f"{top.requests_per_s:g} requests/s   hits {share(top.hit_ratio)}   "
        f"out {size(top.sent_bytes_per_s)}/s   from origins "
        f"{size(top.origin_bytes_per_s)}/s   {top.connections} connections   "
        f"{top.fills} fills",
        f"cache   {rates(top.cache_per_s)}",
        f"status  {rates(top.status_per_s)}",
        f"not stored  {rates(top.not_stored_per_s)}",
    ]


def _of_router(top: Top) -> list[str]:
    return [
        f"{top.requests_per_s:g} requests/s   out {size(top.sent_bytes_per_s)}/s   "
        f"{top.connections} connections   {sum(top.dns_per_s.values()):g} DNS answers/s",
        f"status  {rates(top.status_per_s)}",
        f"dns     {rates(top.dns_per_s)}",
        f"sent to  {rates(top.sent_per_s)}",
    ]


def _services(top: Top, word: str) -> tuple[list[str], list[list[str]]]:
    """Return a table's heads and rows; hits are left out of one that caches nothing."""
    heads = [word, "REQ/S", *(["HITS"] if top.caches else []), "5XX/S", "OUT/S"]
    rows = [
        [
            row.service or "(none)",
            f"{row.requests_per_s:g}",
            *([share(row.hit_ratio)] if top.caches else []),
            f"{row.errors_per_s:g}",
            size(row.bytes_per_s),
        ]
        for row in top.services
    ]
    return heads, rows


def share(value: float | None) -> str:
    """Return a share in percent: `12.5%`."""
    return "-" if value is None else f"{value:.1%}"


def size(count: float) -> str:
    """Bytes in binary units: `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def rates(found: Mapping[str, float]) -> str:
    """Return rates by their names, on one line."""
    return "  ".join(f"{name} {rate:g}" for name, rate in found.items()) or "-"
