"""`headrace check`: validate a configuration and print what it comes to."""

from __future__ import annotations

import enum
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace.config.edge import EDGE
from headrace.config.feedback import FEEDBACK
from headrace.config.loader import load_config
from headrace.config.network_member import NetworkMember
from headrace.config.problems import Problem
from headrace.config.root import Root
from headrace.config.router import ROUTER
from headrace.errors import HeadraceError


class RoleName(enum.StrEnum):
    """The roles whose files can be checked."""

    EDGE = "edge"
    ROUTER = "router"
    FEEDBACK = "feedback"


ROOTS: Mapping[RoleName, Root[Any]] = {
    RoleName.EDGE: EDGE,
    RoleName.ROUTER: ROUTER,
    RoleName.FEEDBACK: FEEDBACK,
}
_EDGES_ONLY = ("cache_dir", "service", "site")
_ROUTERS_ONLY = ("state_dir", "steering", "dns", "trusted_proxies", "forwarded_field", "api_hosts")
_FEEDBACKS_ONLY = ("probe", "probing", "observer", "publish", "states", "balance", "tick", "mode")
_DESCRIPTIONS_ONLY = ("server", "coverage", "class")


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


class NotOfARole(HeadraceError):
    """The file is the description of a network, which no role is configured by."""


def role_of(path: Path) -> RoleName:
    """Return whose configuration a file seems to be: an edge's, unless it has keys that only a
    router's or a feedback process's has. What cannot be read is left to the loader, which says why.

    Raises NotOfARole.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return RoleName.EDGE
    edges = any(key in document for key in _EDGES_ONLY)
    routers = any(key in document for key in _ROUTERS_ONLY)
    if any(key in document for key in _FEEDBACKS_ONLY) and not edges:
        return RoleName.FEEDBACK
    if any(key in document for key in _DESCRIPTIONS_ONLY) and "cache_dir" not in document:
        raise NotOfARole(f"{path} describes a network: headrace network check {path} checks it")
    return RoleName.ROUTER if routers and not edges else RoleName.EDGE
