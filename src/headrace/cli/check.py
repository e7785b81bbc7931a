"""`headrace check`: validate a configuration and print what it comes to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.role_file import RoleName, role_of, root_of
from headrace.config.exposed_files import exposed_files
from headrace.config.loader import load_config
from headrace.config.network_member import EdgeMember, NetworkMember
from headrace.config.problems import Problem
from headrace.config.server import Certificate

_MOST_NAMES = 10


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
        model = root_of(role or RoleName.EDGE).model
        typer.echo(json.dumps(model.model_json_schema(by_alias=True), indent=2))
        return
    if path is None:
        raise typer.BadParameter("name the file to check")
    from headrace.config.effective import effective_toml
    from headrace.config.loader import check_machine

    root = root_of(role or role_of(path))

    def warn(text: str) -> None:
        typer.echo(text, err=True)

    config = load_config(path, root, warn=warn)
    check_machine(config, root, path, warn)
    for exposed in exposed_files(config):
        typer.echo(f"{path}: warning: {exposed}", err=True)
    warnings = list(_expired(config.all_certificates))
    if config.network is not None:
        warnings += _check_membership(config.network, path)
    for text in warnings:
        typer.echo(f"{path}: warning: {text}", err=True)
    typer.echo(effective_toml(config, root), nl=False)


def _expired(certificates: Iterable[Certificate]) -> Iterator[str]:
    """Yield which certificates have expired."""
    from headrace.node.certificate_expiry import read_certificate

    now = datetime.now(UTC)
    for file in dict.fromkeys(one.cert for one in certificates):
        shown = read_certificate(file)
        if shown is not None and shown.not_valid_after_utc <= now:
            since = f"{shown.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
            yield f"the certificate in {file} has expired on {since}: whoever checks refuses it"


def _check_membership(member: NetworkMember, path: Path) -> Iterator[str]:
    """Check the description of the network, and that this node is in it; yield what is odd.

    Raises ConfigError.
    """
    from headrace.config.loader import refuse
    from headrace.topology.build import load_topology
    from headrace.topology.membership import missing_server

    topology = load_topology(member.file)
    text = missing_server(topology, member.me)
    if text:
        remedy = "write the name of the server that this is, or add it to the description"
        problem = Problem(("network", "server"), text, remedy, repr(member.me))
        refuse([problem], path)
    host = next((one.host for one in topology.servers if one.name == member.me), None)
    if host is not None and isinstance(member, EdgeMember) and member.tiering.cert is not None:
        yield from _not_for(host, member.tiering.cert)


def _not_for(host: str, file: Path) -> Iterator[str]:
    """Yield that the certificate shown to other servers is not for this server's host."""
    from headrace.node.certificate_expiry import read_certificate
    from headrace.node.tls_certificate import CertificateError, certificate_names

    shown = read_certificate(file)
    if shown is None:
        return
    try:
        names = certificate_names(shown)
    except CertificateError as error:
        yield f"network.tiering.cert = '{file}': {error}"
        return
    if host not in names:
        printable = (one if one.isprintable() else ascii(one) for one in sorted(names))
        told = ", ".join(islice(printable, _MOST_NAMES)) or "no name"
        yield (
            f"network.tiering.cert = '{file}': is for {told}, and the description gives this "
            f"server the host {host}: servers with a client_ca will not believe it "
            "(peer_certificate)"
        )
