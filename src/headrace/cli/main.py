"""The command `headrace`: a table of sub-commands, each a thin layer over a package."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from headrace import __version__
from headrace.cli.commands import Commands
from headrace.cli.own_process import OWN_PROCESS
from headrace.errors import HeadraceError

EXIT_USAGE = 2
EXIT_FAILED = 1
STDOUT = 1

app = typer.Typer(
    name="headrace",
    cls=Commands,
    help="A content delivery network that one team can run itself.",
    no_args_is_help=True,
    add_completion=False,
    # Help is plain text: with Rich's markup a `[/prefix]` or `[URL]` in it is a tag, or an error.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"headrace {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the console script. What a user did wrong ends in a message, not in a traceback."""
    own = OWN_PROCESS.set(True)
    try:
        app()
    except HeadraceError as error:
        from headrace.cli.admin_client import harmless_lines  # a node may have a part in the words

        typer.echo(f"headrace: {harmless_lines(str(error))}", err=True)
        sys.exit(EXIT_USAGE)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        # Most likely what was printed: the rest of it goes nowhere, or Python would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
        typer.echo(f"headrace: {error.strerror}", err=True)
        sys.exit(EXIT_FAILED)
    finally:
        OWN_PROCESS.reset(own)
