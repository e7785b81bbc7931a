"""`headrace log`: follow the requests of a running edge or router as they end."""

from __future__ import annotations

import contextlib
import http.client
import json
import sys
from collections.abc import Generator, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from headrace.cli.admin_client import (
    EXIT_REFUSED,
    EXIT_USAGE,
    AdminClient,
    AdminOption,
    ConfigOption,
    NodeUnreachable,
    TokenOption,
    fail,
    find_admin,
    harmless,
    run,
)
from headrace.cli.role_file import RoleName
from headrace.node.admin.following import MOST_LINES, MOST_LINES_PER_S, USUAL_LINES_PER_S
from headrace.telemetry.filter import FIELDS, parse_filter
from headrace.telemetry.filter_words import FilterError

LONGEST_LINE = 256 * 1024
SILENT_S = 5.0
"""A node that lives says something each second, or each two while a worker of it hangs."""
ROLES = (RoleName.EDGE, RoleName.ROUTER)
FILTER_HELP = (
    'Which requests: \'status >= 500 and service == "vod" and path ~ "^/live/"\'. '
    f"Fields: {', '.join(FIELDS)}."
)


def log(
    filter_text: Annotated[
        str,
        typer.Argument(
            metavar="FILTER",
            help=FILTER_HELP,
        ),
    ] = "",
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MOST_LINES, help="End after so many requests.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON, all fields.")] = False,
    rate: Annotated[
        int,
        typer.Option(min=1, max=MOST_LINES_PER_S, help="At most so many a second of each worker."),
    ] = USUAL_LINES_PER_S,
    sample: Annotated[
        float, typer.Option(help="Look at this share of the requests: 0.01 for one in a hundred.")
    ] = 1.0,
    admin: AdminOption = None,
    token_file: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Follow the requests of a running edge or router as they end, until Ctrl-C.

    Fields are compared with == != < <= > >= and in ("a", "b"), texts also with ~ and !~ and a
    pattern (* any run, ? any one character, ^ the beginning, $ the end); and, or, not and
    parentheses join comparisons.
    """
    try:
        parse_filter(filter_text)
    except FilterError as error:
        typer.echo(
            f"headrace log: filter: {error}\n{pointed(filter_text, error.position)}", err=True
        )
        raise typer.Exit(EXIT_USAGE) from error
    if not 0 < sample <= 1:
        fail("log", "--sample must be a share above 0, 1 at most", EXIT_USAGE)
    client = run("log", lambda: find_admin(admin, token_file, config, *ROLES))
    query = {"filter": filter_text, "rate": str(rate), "sample": repr(sample)}
    if limit is not None:
        query["limit"] = str(limit)
    try:
        seen = run("log", lambda: _follow(client, query, as_json=as_json))
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        sys.stderr.close()  # nothing is left to say it to
        return
    if limit is None or seen < limit:
        fail("log", "it has stopped, and with it the log", EXIT_REFUSED)


def _follow(client: AdminClient, query: Mapping[str, str], *, as_json: bool) -> int:
    """Print what comes; how many requests it was."""
    seen = 0
    with contextlib.closing(_lines(client, f"/log?{urlencode(query)}")) as lines:
        for line in lines:
            try:
                found = json.loads(line)
                is_gap = "dropped" in found
                text = missed(found) if is_gap else _shown(found, as_json=as_json)
            except (ValueError, TypeError, LookupError, RecursionError) as error:
                raise NodeUnreachable(
                    f"{client.address} tells what is no request; has it another version than this "
                    "command?"
                ) from error
            if is_gap:
                typer.echo(harmless(text), err=True)
                continue
            seen += 1
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
    return seen


def _shown(found: Mapping[str, Any], *, as_json: bool) -> str:
    return json.dumps(found, separators=(",", ":")) if as_json else as_text(found)


def _lines(client: AdminClient, path: str) -> Generator[bytes]:
    connection, response = client.open("GET", path)
    if connection.sock is not None:
        connection.sock.settimeout(SILENT_S)
    try:
        while line := response.readline(LONGEST_LINE):
            if line.strip():
                yield line.strip()
    except (OSError, http.client.HTTPException) as error:
        raise client.unreachable(error) from error
    finally:
        response.close()
        connection.close()


def as_text(found: Mapping[str, Any]) -> str:
    """Return a request as one line for people."""
    parts = [
        str(found["time"])[11:23],
        f"{found['status']:3d}",
        *([f"{found['cache']:<11}"] if found["cache"] else []),
        f"{found['duration_s']:8.3f}s",
        f"{found['bytes']:>10}",
        found["method"] or "-",
        f"{found['host']}{found['path']}",
    ]
    first = found["first_byte_s"]
    more = {
        "service": found["service"],
        "first": None if first is None else f"{first:.3f}s",
        "age": found.get("age_s") or None,
        "range": found.get("range"),
        "reason": found.get("reason"),
        "origin": found.get("origin"),
        "tries": found["origin_tries"] if found.get("origin_tries", 0) > 1 else None,
        "switches": found.get("origin_switches"),
        "failed": found.get("origin_failures"),
        "ended": found.get("ended"),
        "server": found.get("server"),
        "peer": found.get("peer"),
        "client": found["client"],
    }
    for name, value in more.items():
        if value not in (None, ""):
            text = str(value)
            parts.append(f'{name}="{text}"' if " " in text else f"{name}={text}")
    return harmless(" ".join(parts))


def missed(found: Mapping[str, Any]) -> str:
    """Return what is said of requests that are not shown."""
    parts = []
    if found["dropped"]:
        parts.append(f"{found['dropped']} more are not shown (see --rate, or read faster)")
    if found["unexamined"]:
        parts.append(f"{found['unexamined']} were not compared (see --sample)")
    if "silent" in found:
        silent = ", ".join(map(str, found["silent"]))
        parts.append(f"no answer from {silent}" if silent else "all workers answer again")
    return "-- " + ", ".join(parts)


def pointed(text: str, position: int) -> str:
    """Return the filter, with a mark under the character."""
    begin = max(0, position - 60)
    shown = harmless(text[begin : position + 20].replace("\n", " "))
    return f"  {shown}\n  {' ' * (position - 1 - begin)}^"
