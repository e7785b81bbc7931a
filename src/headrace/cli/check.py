"""`headrace check`: validate a configuration and print what it comes to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.role_file import ROOTS, RoleName, role_of
from headrace.config.exposed_files import exposed_files
from headrace.config.loader import load_config
from headrace.config.network_member import NetworkMember
from headrace.config.problems import Problem


def check(
    path: Annotated[Path | None, typer.Argument(metavar="FILE", help="The file to check.")] = None,
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema instead.")
    ] = False,
    role: Annotated[
        RoleName | None,
        typer.Option(help="Whose file it is. Without: as its keys say.", case_sensitive=False),
    ] = None,
) -> None:
    """Check a configuration file, and print every value in force."""
    if schema:
        model = ROOTS[role or RoleName.EDGE].model
        typer.echo(json.dumps(model.model_json_schema(by_alias=True), indent=2))
        return
    if path is None:
        raise typer.BadParameter("name the file to check")
    from headrace.config.effective import effective_toml
    from headrace.config.loader import check_machine

    root = ROOTS[role or role_of(path)]
    config = load_config(path, root, warn=lambda text: typer.echo(text, err=True))
    check_machine(config, root, path)
    for exposed in exposed_files(config):
        typer.echo(f"{path}: warning: {exposed}", err=True)
    if config.network is not None:
        _check_membership(config.network, path)
    typer.echo(effective_toml(config, root), nl=False)


def _check_membership(member: NetworkMember, path: Path) -> None:
    """Check the description of the network, and that this node is in it. Raises ConfigError."""
    from headrace.config.loader import refuse
    from headrace.topology.build import load_topology
    from headrace.topology.membership import missing_server

    text = missing_server(load_topology(member.file), member.me)
    if text:
        remedy = "write the name of the server that this edge is, or add it to the description"
        problem = Problem(("network", "server"), text, remedy, repr(member.me))
        refuse([problem], path)
