"""`headrace check`: validate a configuration and print what it comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from headrace.config.edge import EDGE
from headrace.config.edge.model import Config
from headrace.config.loader import load_config


def check(
    path: Annotated[Path | None, typer.Argument(metavar="FILE", help="The file to check.")] = None,
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema instead.")
    ] = False,
) -> None:
    """Check a configuration file, and print every value in force."""
    if schema:
        typer.echo(json.dumps(Config.model_json_schema(by_alias=True), indent=2))
        return
    if path is None:
        raise typer.BadParameter("name the file to check")
    from headrace.config.effective import effective_toml
    from headrace.config.loader import check_machine

    config = load_config(path, EDGE)
    check_machine(config, EDGE, path)
    typer.echo(effective_toml(config, EDGE), nl=False)
