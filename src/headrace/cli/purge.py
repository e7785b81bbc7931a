"""`headrace purge`: ask a running edge's admin door to forget objects."""

from __future__ import annotations

import http.client
import json
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace.config import Address, Config, UnixAddress
from headrace.config.addresses import parse_address
from headrace.config.loader import load_config
from headrace.edge.admin.auth import TOKEN_FILE_NAME
from headrace.errors import HeadraceError

TIMEOUT_S = 30.0
EXIT_REFUSED = 1
EXIT_USAGE = 2
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class EdgeUnreachable(HeadraceError):
    """No admin door answers."""


class PurgeRefused(HeadraceError):
    """The edge refused one purge; others may do."""


class PurgeUsage(HeadraceError):
    """The command does not say what to purge, or where."""


@dataclass(frozen=True, slots=True)
class Door:
    """An admin door and its token."""

    address: Address
    token: str


def purge(
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="URL", help="URLs to purge; `-` reads them from stdin."),
    ] = None,
    *,
    prefix: Annotated[
        list[str] | None, typer.Option(help="Purge every URL that begins so.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Purge what carries this Surrogate-Key or Cache-Tag.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Purge everything.")] = False,
    soft: Annotated[
        bool,
        typer.Option(
            "--soft",
            help="Mark stale instead of removing: revalidate, and serve "
            "stale where that is allowed.",
        ),
    ] = False,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    admin: Annotated[
        str | None,
        typer.Option(help="The admin door: 127.0.0.1:9090 or unix:/path.", metavar="ADDRESS"),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="The file with the admin token.", metavar="FILE")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Take the admin door and its token from this file.", metavar="FILE"),
    ] = None,
) -> None:
    """Remove objects from a running edge's cache; in force on all its workers when this ends."""
    try:
        bodies = requests_for(
            _with_stdin(urls or []), prefix or [], tag or [], everything, soft=soft, site=site
        )
        door = find_door(admin, token_file, config)
        refused = [body for body in bodies if not _purged(door, body)]
    except PurgeUsage as error:
        typer.echo(f"headrace purge: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from error
    except HeadraceError as error:
        typer.echo(f"headrace purge: {error}", err=True)
        raise typer.Exit(EXIT_REFUSED) from error
    if refused:
        raise typer.Exit(EXIT_REFUSED)


def requests_for(
    urls: Iterable[str],
    prefixes: Iterable[str],
    tags: Iterable[str],
    everything: bool,
    *,
    soft: bool,
    site: str | None,
) -> list[dict[str, Any]]:
    """The bodies of POST /purge, one for each thing named. Raise PurgeUsage when there is none."""
    named: list[dict[str, Any]] = [{"url": url} for url in urls]
    named += [{"prefix": prefix} for prefix in prefixes]
    named += [{"tag": tag} for tag in tags]
    if everything and named:
        raise PurgeUsage("--all purges everything: leave out the rest, or leave out --all")
    if everything:
        named = [{"all": True}]
    if not named:
        raise PurgeUsage("nothing to purge: name a URL, --prefix, --tag or --all")
    more: dict[str, Any] = {"soft": soft} if site is None else {"soft": soft, "site": site}
    return [{**body, **more} for body in named]


def find_door(admin: str | None, token_file: Path | None, config_file: Path | None) -> Door:
    """Where to ask and with which token. Raise PurgeUsage when neither way says it."""
    config = None if config_file is None else _loaded(config_file)
    if admin is not None:
        try:
            address = parse_address(admin)
        except ValueError as error:
            raise PurgeUsage(f"--admin {admin}: {error}") from error
    elif config is None:
        raise PurgeUsage("which edge? give --admin with --token-file, or --config edge.toml")
    elif config.admin is None:
        raise PurgeUsage(f"{config_file} has no [admin] table, so its edge takes no purge")
    else:
        address = config.admin.parsed
    return Door(address, _token(token_file, config))


def send(door: Door, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for one purge; the edge's answer. Raise EdgeUnreachable or PurgeRefused."""
    connection = _connection(door.address)
    try:
        connection.request(
            "POST",
            "/purge",
            json.dumps(body),
            {"Authorization": f"Bearer {door.token}", "Content-Type": "application/json"},
        )
        response = connection.getresponse()
        status, content = response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise EdgeUnreachable(
            f"no answer from {door.address}: {error}; is the edge running, with [admin] listen "
            "set to this address?"
        ) from error
    finally:
        connection.close()
    try:
        answer = json.loads(content)
    except ValueError as error:
        raise EdgeUnreachable(
            f"{door.address} is not an admin door: it answered {status}"
        ) from error
    if status != 200:
        detail = answer.get("detail", "") if isinstance(answer, dict) else ""
        raise PurgeRefused(f"{_subject(body)} not purged: {status}: {detail}")
    found: dict[str, Any] = answer
    return found


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


def _purged(door: Door, body: dict[str, Any]) -> bool:
    """Carry out one purge and say so; whether the edge did it."""
    try:
        answer = send(door, body)
    except PurgeRefused as error:
        typer.echo(f"headrace purge: {error}", err=True)
        return False
    typer.echo(f"purged {_subject(body)}: generation {answer['generation']}")
    return True


def _connection(address: Address) -> http.client.HTTPConnection:
    if isinstance(address, UnixAddress):
        return _UnixConnection(address.path)
    host = WILDCARDS.get(address.host, address.host)
    return http.client.HTTPConnection(host, address.port, timeout=TIMEOUT_S)


def _token(token_file: Path | None, config: Config | None) -> str:
    if token_file is None:
        if config is None or config.admin is None:
            raise PurgeUsage("which token? give --token-file (the edge's cache_dir/admin.token)")
        if config.admin.token is not None:
            return config.admin.token
        token_file = config.admin.token_file or config.cache_dir / TOKEN_FILE_NAME
    try:
        return token_file.read_text().strip()
    except OSError as error:
        raise PurgeUsage(f"cannot read the token from {token_file}: {error.strerror}") from error


def _loaded(file: Path) -> Config:
    try:
        return load_config(file)
    except HeadraceError as error:
        raise PurgeUsage(str(error)) from error


def _with_stdin(urls: Iterable[str]) -> list[str]:
    found: list[str] = []
    for url in urls:
        if url == "-":
            found += [line.strip() for line in sys.stdin if line.strip()]
        else:
            found.append(url)
    return found


def _subject(body: dict[str, Any]) -> str:
    for kind in ("url", "prefix", "tag"):
        if kind in body:
            return str(body[kind]) if kind == "url" else f"{kind} {body[kind]}"
    return "everything"
