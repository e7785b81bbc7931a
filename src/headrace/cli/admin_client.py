"""The admin API of a running node, as the commands reach it: where, with which token, and how."""

from __future__ import annotations

import contextlib
import getpass
import http.client
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
import typer

from headrace.cli.role_file import RoleName, has_keys_of, role_of, root_of
from headrace.cli.time_limit import limited
from headrace.config import Address, UnixAddress
from headrace.config.addresses import parse_address
from headrace.config.loader import load_config
from headrace.config.node import NodeConfig
from headrace.errors import HeadraceError
from headrace.node.admin.token import TOKEN_FILE_NAME

LOOK_S = 3.0
"""What a question may take that changes nothing: a node waits 2 s for its workers at most."""
CHANGE_S = 10.0
CONNECT_S = 3.0
WHOLE_S = 30.0
"""What the whole answer may take, of a node that always says a little."""
LARGEST_ANSWER_BYTES = 64 * 1024**2
EXIT_REFUSED = 1
EXIT_USAGE = 2
_WORDS = {
    RoleName.EDGE: "edge",
    RoleName.ROUTER: "router",
    RoleName.FEEDBACK: "feedback process",
    RoleName.VIP: "VIP process",
}
_INSTEAD = {
    RoleName.EDGE: "headrace top and headrace log watch an edge",
    RoleName.ROUTER: (
        "headrace top and headrace log watch a router, and headrace locate --router URL says how "
        "it decides"
    ),
    RoleName.FEEDBACK: "headrace feedback status shows what a feedback process knows",
    RoleName.VIP: "headrace vip status shows what a VIP process announces",
}
NOTHING_AT = "nothing at "
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}

AdminOption = Annotated[
    str | None,
    typer.Option(help="The admin API: 127.0.0.1:9090 or unix:/path.", metavar="ADDRESS"),
]
TokenOption = Annotated[
    Path | None, typer.Option(help="The file with the admin token.", metavar="FILE")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(help="Take the admin API and its token from this file.", metavar="FILE"),
]
Result = TypeVar("Result")
Answer = TypeVar("Answer", bound=msgspec.Struct)


class NodeUnreachable(HeadraceError):
    """No admin API answers."""


class AdminRefused(HeadraceError):
    """The node refused what was asked. `status` and `detail` are its answer's."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class AdminUsage(HeadraceError):
    """The command does not say what it should, or where to ask."""


@dataclass(frozen=True, slots=True)
class AdminClient:
    """An admin API and its token."""

    address: Address
    token: str
    node: str = _WORDS[RoleName.EDGE]  # what is asked, in words

    def ask(self, answer: type[Answer], method: str, path: str, body: object = None) -> Answer:
        """Ask once; return the answer. Raises NodeUnreachable or AdminRefused."""
        found = _parsed(self.address, 200, self.read(method, path, body))
        try:
            return msgspec.convert(found, answer)
        except msgspec.ValidationError as error:
            raise NodeUnreachable(
                f"{self.address} answers otherwise than expected: {error}; has it another version "
                "than this command?"
            ) from error

    def read(self, method: str, path: str, body: object = None) -> bytes:
        """Ask once; return the whole answer, a byte more than may be of one that is too large.
        Raises NodeUnreachable or AdminRefused.
        """
        connection, response = self.open(method, path, body)
        try:
            with response, limited(connection.wire, WHOLE_S):
                content = response.read(LARGEST_ANSWER_BYTES + 1)
                if response.length and len(content) <= LARGEST_ANSWER_BYTES:
                    raise http.client.IncompleteRead(content, response.length)
                return content
        except (OSError, http.client.HTTPException) as error:
            raise self.unreachable(error) from error
        finally:
            connection.close()

    def open(
        self, method: str, path: str, body: object = None
    ) -> tuple[AdminConnection, http.client.HTTPResponse]:
        """Ask once; return the connection and the response, of which the body is not read.

        Raises NodeUnreachable, or AdminRefused when its status is not 200.
        """
        connection = _connection(self.address)
        within_s = LOOK_S if method == "GET" else CHANGE_S
        fields = {"Authorization": f"Bearer {self.token}"}
        content = None
        if body is not None:
            content, fields["Content-Type"] = json.dumps(body), "application/json"
        refusal: bytes | None = None
        with contextlib.ExitStack() as closed:
            closed.callback(connection.close)
            try:
                connection.connect()
                connection.sock.settimeout(within_s)
                connection.wire = connection.sock
                with limited(connection.wire, WHOLE_S):
                    connection.request(method, path, content, fields)
                    # Not read to its end, it would keep the socket.
                    response = closed.enter_context(connection.getresponse())
                    if response.status != 200:
                        refusal = response.read(LARGEST_ANSWER_BYTES + 1)
            except (OSError, http.client.HTTPException) as error:
                raise self.unreachable(error) from error
            if refusal is None:
                closed.pop_all()
                return connection, response
        answer = _parsed(self.address, response.status, refusal)
        detail = str(answer.get("detail", "")) if isinstance(answer, dict) else ""
        if response.status == 404 and detail.startswith(NOTHING_AT):
            detail += f"; is {self.address} the admin API of {_with_article(self.node)}?"
        raise AdminRefused(response.status, harmless(detail))

    def unreachable(self, error: Exception) -> NodeUnreachable:
        """Return the error that says why there is no answer, and what to check."""
        if isinstance(error, TimeoutError):
            return NodeUnreachable(
                f"no answer from {self.address} in time: the {self.node} hangs, or what is sent to "
                "it is dropped on the way"
            )
        return NodeUnreachable(
            f"no answer from {self.address}: {error}; is the {self.node} running, with [admin] "
            "listen set to this address?"
        )


def find_admin(
    admin: str | None,
    token_file: Path | None,
    config_file: Path | None,
    *roles: RoleName,
) -> AdminClient:
    """Return where to ask a node of one of these roles (none: an edge) and with which token.

    Raises AdminUsage when neither way says it.
    """
    wanted = roles or (RoleName.EDGE,)
    role = wanted[0]
    config = None if config_file is None else _loaded(config_file, wanted)
    if admin is not None:
        try:
            address = parse_address(admin)
        except ValueError as error:
            raise AdminUsage(f"--admin {admin}: {error}") from error
    elif config is None:
        raise AdminUsage(
            f"which {_WORDS[role]}? name it by --admin with --token-file, or --config {role}.toml"
        )
    elif config.admin is None:
        raise AdminUsage(f"{config_file} has no [admin] table, so it cannot be asked")
    else:
        address = config.admin.parsed
    return AdminClient(address, _token(token_file, config), _node_of(wanted))


def run(command: str, work: Callable[[], Result]) -> Result:
    """Do a command's work; what goes wrong is said in one line, with the exit code that fits."""
    try:
        return work()
    except AdminUsage as error:
        fail(command, str(error), EXIT_USAGE)
    except HeadraceError as error:
        fail(command, str(error), EXIT_REFUSED)


def fail(command: str, problem: str, code: int) -> NoReturn:
    """Say it and leave. Whoever was asked may have a part in the words."""
    typer.echo(f"headrace {command}: {harmless_lines(problem)}", err=True)
    raise typer.Exit(code)


def harmless(text: str) -> str:
    """Text of clients, without what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def harmless_lines(text: str) -> str:
    """Return the same of several lines."""
    return "\n".join(map(harmless, text.split("\n")))


def harmless_json(found: object) -> str:
    """Return a value as JSON for people and programs, without what a terminal would obey."""
    text = json.dumps(found, indent=2, ensure_ascii=False)
    plain = all(line.isprintable() for line in text.split("\n"))
    return text if plain else json.dumps(found, indent=2)


class AdminConnection(http.client.HTTPConnection):
    """A connection that still knows its socket when the response has taken it over."""

    wire: socket.socket


class _UnixConnection(AdminConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=CONNECT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_S)
        self.sock.connect(str(self._path))


def _connection(address: Address) -> AdminConnection:
    if isinstance(address, UnixAddress):
        return _UnixConnection(address.path)
    host = WILDCARDS.get(address.host, address.host)
    return AdminConnection(host, address.port, timeout=CONNECT_S)


def _parsed(address: Address, status: int, content: bytes) -> Any:
    """Return an answer of JSON. Raises NodeUnreachable."""
    try:
        if len(content) > LARGEST_ANSWER_BYTES:
            raise ValueError("too large")
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NodeUnreachable(f"{address} is not an admin API: it answered {status}") from error


def _token(token_file: Path | None, config: NodeConfig | None) -> str:
    if token_file is None:
        if config is None or config.admin is None:
            raise AdminUsage(
                "which token? give --token-file (admin.token in an edge's cache_dir, in another "
                "node's state_dir)"
            )
        if config.admin.token is not None:
            return config.admin.token
        token_file = config.admin.token_file or config.state_dir / TOKEN_FILE_NAME
    try:
        token = token_file.read_text("ascii").strip()
    except FileNotFoundError as error:
        raise AdminUsage(
            f"cannot read the token from {token_file}: there is no such file; does the node run? "
            "It makes the file when it first starts"
        ) from error
    except OSError as error:
        raise AdminUsage(f"cannot read the token from {token_file}: {error.strerror}") from error
    except ValueError:
        token = ""
    if not token.isprintable() or not token:
        raise AdminUsage(f"{token_file} does not hold a token: one line of visible characters")
    return token


def _loaded(file: Path, roles: tuple[RoleName, ...]) -> NodeConfig:
    seems = role_of(file)
    if seems not in roles and has_keys_of(seems, file):
        raise AdminUsage(
            f"{file} configures {_with_article(_WORDS[seems])}, and this asks "
            f"{_with_article(_node_of(roles))}: {_INSTEAD[seems]}"
        )
    role = seems if seems in roles else roles[0]
    try:
        found: NodeConfig = load_config(file, root_of(role))
    except HeadraceError as error:
        raise AdminUsage(
            f"{error}\n    whatever runs by an earlier one is asked by --admin and --token-file"
        ) from error
    return found


def _node_of(roles: tuple[RoleName, ...]) -> str:
    return " or ".join(_WORDS[role] for role in roles)


def _with_article(node: str) -> str:
    return f"{'an' if node[0] in 'aeiou' else 'a'} {node}"


def who() -> str:
    """Return who gives an order, also through sudo; a number for a user without a name."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"[:200]
