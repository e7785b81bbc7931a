"""`headrace tickets`: the file with the secrets for session tickets that servers share."""

from __future__ import annotations

import json
import os
import secrets as randomness
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.examples import examples
from headrace.config.exposed_files import exposure
from headrace.config.ticket_secrets import (
    ALWAYS,
    MOST_SECRETS,
    PERIOD_S,
    TicketSecret,
    needed,
    none_in_force,
    of_period,
    period_at,
    read_ticket_secrets,
    text_of,
    time_text,
)
from headrace.errors import HeadraceError

MODE = 0o600

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file that `[tls] ticket_secret_file` names.")
]

tickets = typer.Typer(
    name="tickets",
    help="Write and show the secrets for TLS session tickets that the servers of a site share.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class TicketFileError(HeadraceError):
    """A file of secrets cannot be read or written."""


@tickets.command(name="new", epilog=examples("tickets new"))
def new(
    path: File,
    *,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget",
            help="The secrets in the file are known to others: drop them, use the new one at once.",
        ),
    ] = False,
) -> None:
    """Add a new secret to the file, which is made if there is none.

    The new one comes into force in three to six hours: until then the file can be brought to every
    server. Secrets that open no ticket any more are dropped.
    """
    now = time.time()
    present = () if forget or not path.exists() else _read(path)
    begins = (period_at(now) + 2) * PERIOD_S if present else ALWAYS
    if present and present[-1].begins >= begins:
        typer.echo(f"{path}: {present[-1].id} is new already, from {_when(present[-1].begins)}")
        return
    added = TicketSecret(float(begins), randomness.token_urlsafe(32).encode())
    kept = (*needed(present, now), added)
    _write(path, kept)
    typer.echo(f"{path}: {added.id} from {_when(added.begins)}, {len(kept)} in the file")
    exposed = exposure(path)  # it keeps the mode that it had
    if exposed:
        typer.echo(f"{path}: {exposed}", err=True)


@tickets.command(name="show", epilog=examples("tickets show"))
def show(
    path: File,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print from when on each secret is in force, and what tells it from others.

    The secrets themselves are not shown: compare the files of two servers by what is.
    """
    found = _read(path)
    rows = [(one.id, _when(one.begins), _state(one, found)) for one in found]
    if as_json:
        keys = ("secret", "begins", "state")
        typer.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
    else:
        for secret, begins, state in rows:
            typer.echo(f"{secret}  {begins:20}  {state}")
    for problem in (none_in_force(found, time.time()), exposure(path)):
        if problem:
            typer.echo(f"{path}: {problem}", err=True)


def _state(one: TicketSecret, found: Sequence[TicketSecret]) -> str:
    now = time.time()
    present = of_period(found, period_at(now))
    if one == present:
        return "in force"
    if present is None or one.begins > present.begins:
        return "to come"
    return "was in force" if one in needed(found, now) else "not needed"


def _when(begins: float) -> str:
    return "the beginning" if begins == ALWAYS else time_text(begins)


def _read(path: Path) -> tuple[TicketSecret, ...]:
    """Return the secrets of a file. Raises TicketFileError."""
    try:
        return read_ticket_secrets(path)
    except ValueError as error:
        raise TicketFileError(f"{path}: {error}") from error


def _write(path: Path, secrets: Sequence[TicketSecret]) -> None:
    """Replace the file in one step; it keeps its owner and its mode. Raises TicketFileError."""
    if len(secrets) > MOST_SECRETS:
        raise TicketFileError(f"{path} has {len(secrets)} secrets then: remove some to come first")
    made = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if path.exists():
                    before = path.stat()
                    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                        os.fchown(descriptor, before.st_uid, before.st_gid)
                    os.fchmod(descriptor, before.st_mode & 0o7777)
                file.write(text_of(secrets))
                file.flush()
                os.fsync(descriptor)
            made.replace(path)
        except OSError:
            made.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise TicketFileError(f"{path} cannot be written: {error.strerror}") from error
