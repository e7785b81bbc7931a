"""`headrace network`: check a network's description, and show it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.topology.build import load_description

network = typer.Typer(
    name="network",
    help="Check the description of a network, show it, compare it with another.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The description: network.toml.")]


@network.command(name="check")
def check(path: File) -> None:
    """Check a description, and print what it comes to. Warnings go to standard error."""
    description = load_description(path)
    for warning in description.warnings:
        typer.echo(warning, err=True)
