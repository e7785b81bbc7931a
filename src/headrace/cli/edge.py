"""`headrace edge`: run the caching server, from a file or from one line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from headrace.cli.own_process import begin_workers
from headrace.cli.role_file import RoleName, load_for
from headrace.config import Config
from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.config.locate import TomlPath
from headrace.errors import HeadraceError
from headrace.ownership import foreign


class UsageError(HeadraceError):
    """Options that do not go together."""


# Where each key of the one-line form comes from, for messages about it.
_OPTIONS: dict[TomlPath, str] = {
    ("node_id",): "--node-id",
    ("listen",): "--listen",
    ("service",): "--origin",
    ("cache_dir",): "--cache-dir",
    ("workers",): "--workers",
    ("certificate",): "--tls-cert/--tls-key",
    ("admin", "token_file"): "--admin-token-file",
    ("admin",): "--admin",
    ("store", "size"): "--cache-size",
    ("access_log",): "--access-log",
    ("log_level",): "--log-level",
}


def edge(
    *,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Configuration file; excludes the other options."),
    ] = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Address for clients; may be repeated."),
    ] = None,
    origin: Annotated[
        str | None, typer.Option(metavar="URL", help="http(s)://host[:port][/prefix].")
    ] = None,
    cache_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory of the store.")
    ] = None,
    node_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Name in Via and Cache-Status. Unset: the host name."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Worker processes. Unset: one for each processor."),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="PEM certificate; all addresses then speak TLS."),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM key of the certificate.")
    ] = None,
    admin: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address of the admin API. Unset: none.")
    ] = None,
    admin_token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with its token. Unset: one is made, in the store's directory.",
        ),
    ] = None,
    cache_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Size of the store. Unset: 10GiB.")
    ] = None,
    access_log: Annotated[
        str | None, typer.Option(metavar="FILE", help="File, or - for stdout. Unset: none.")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="debug, info, warning, error. Unset: info.")
    ] = None,
) -> None:
    """Run the caching server until a signal stops it."""
    options = {
        "--listen": listen,
        "--origin": origin,
        "--cache-dir": cache_dir,
        "--node-id": node_id,
        "--workers": workers,
        "--tls-cert": tls_cert,
        "--tls-key": tls_key,
        "--admin": admin,
        "--admin-token-file": admin_token_file,
        "--cache-size": cache_size,
        "--access-log": access_log,
        "--log-level": log_level,
    }
    given = [name for name, value in options.items() if value is not None]
    if config is not None:
        if given:
            raise UsageError(f"--config excludes {', '.join(given)}: put them into the file")
        forks = begin_workers(RoleName.EDGE)
        wanted = load_for(config, EDGE)
    else:
        missing = [name for name in ("--listen", "--origin", "--cache-dir") if name not in given]
        if missing:
            raise UsageError(f"give {', '.join(missing)}, or a file with --config")
        if (tls_cert is None) != (tls_key is None):
            raise UsageError("--tls-cert and --tls-key go together: give both")
        if admin_token_file is not None and admin is None:
            raise UsageError("--admin-token-file needs --admin")
        forks = begin_workers(RoleName.EDGE)
        wanted = one_line_config(
            listen=listen or [],
            origin=origin or "",
            cache_dir=cache_dir or Path(),
            node_id=node_id,
            workers=workers,
            certificate=None if tls_cert is None or tls_key is None else (tls_cert, tls_key),
            admin=admin,
            admin_token_file=admin_token_file,
            cache_size=cache_size,
            access_log=access_log,
            log_level=log_level,
        )
    others = foreign(wanted.cache_dir) if wanted.cache_dir.is_dir() else None
    if others is not None:
        raise UsageError("{}: {}".format(*others))
    from headrace.edge.role import EdgeRole
    from headrace.node.run import run

    raise typer.Exit(run(EdgeRole(), wanted, config, forks))


def one_line_config(
    *,
    listen: list[str],
    origin: str,
    cache_dir: Path,
    node_id: str | None = None,
    workers: int | None = None,
    certificate: tuple[Path, Path] | None = None,
    admin: str | None = None,
    admin_token_file: Path | None = None,
    cache_size: str | None = None,
    access_log: str | None = None,
    log_level: str | None = None,
) -> Config:
    """Return the configuration that the options stand for: one service for every host.

    Raises ConfigError, whose places are the options.
    """
    tls = certificate is not None
    document: dict[str, Any] = {
        "cache_dir": str(cache_dir),
        "listen": [{"address": address, "tls": tls} for address in listen],
        "service": [{"name": "default", "hosts": ["*"], "origins": [origin]}],
    }
    if node_id is not None:
        document["node_id"] = node_id
    if workers is not None:
        document["workers"] = workers
    if certificate is not None:
        document["certificate"] = [{"cert": str(certificate[0]), "key": str(certificate[1])}]
    if admin is not None:
        document["admin"] = {"listen": admin}
        if admin_token_file is not None:
            document["admin"]["token_file"] = str(admin_token_file)
    if cache_size is not None:
        document["store"] = {"size": cache_size}
    if access_log is not None:
        document["access_log"] = {"path": access_log}
    if log_level is not None:
        document["log_level"] = log_level
    return validate_document(document, EDGE, _option_of, base=Path.cwd())


def _option_of(path: TomlPath) -> str:
    for length in range(len(path), 0, -1):
        name = _OPTIONS.get(path[:length])
        if name is not None:
            return name
    return "command line"
