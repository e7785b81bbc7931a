"""`headrace network`: check a network's description, and show it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.examples import examples
from headrace.cli.network_diff import diff
from headrace.config.problems import MOST_LISTED
from headrace.topology.tree import Ink, plain, summary, tree

network = typer.Typer(
    name="network",
    help="Check the description of a network, show it, compare it with another.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_COLOURS = {
    Ink.HEADING: {"bold": True},
    Ink.NAME: {"fg": "cyan"},
    Ink.GOOD: {"fg": "green"},
    Ink.CAREFUL: {"fg": "yellow"},
    Ink.BAD: {"fg": "red"},
}


@network.command(name="check", epilog=examples("network check"))
def check(
    path: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The description: network.toml.")
    ] = None,
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema instead.")
    ] = False,
) -> None:
    """Check a description, and print in a line what it comes to.

    Every problem is reported at once, with its line. Warnings go to standard error.
    """
    if schema:
        from headrace.config.network.model import NetworkConfig

        typer.echo(json.dumps(NetworkConfig.model_json_schema(by_alias=True), indent=2))
        return
    if path is None:
        raise typer.BadParameter("name the file to check")
    from headrace.topology.build import load_description

    description = load_description(path)
    for warning in description.warnings[:MOST_LISTED]:
        typer.echo(warning, err=True)
    if len(description.warnings) > MOST_LISTED:
        typer.echo(f"and {len(description.warnings) - MOST_LISTED} warnings more", err=True)
    typer.echo(f"{path}: sound: {summary(description.topology)}")


@network.command(name="show", epilog=examples("network show"))
def show(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The description: network.toml.")],
    *,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the description with every value in force instead."),
    ] = False,
) -> None:
    """Print a network as a tree: its sites by network, who is served from where, and what."""
    from headrace.topology.build import load_description

    description = load_description(path)
    if as_json:
        document = description.config.model_dump(mode="json", by_alias=True, exclude_none=True)
        typer.echo(json.dumps(document, indent=2))
        return
    for line in tree(description.topology, _painted if wants_colour() else plain):
        typer.echo(line)


network.command(name="diff", epilog=examples("network diff"))(diff)


def wants_colour() -> bool:
    """Return whether a person reads the output in colour (see no-color.org)."""
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _painted(text: str, ink: Ink) -> str:
    return typer.style(text, **_COLOURS[ink])  # type: ignore[arg-type]  # of two options
