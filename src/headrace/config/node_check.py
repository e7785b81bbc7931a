"""What any node's configuration asks of its machine: certificates that load, a directory to write
in.
"""

from __future__ import annotations

import os
import ssl
import time
from pathlib import Path

from headrace.config.network_member import NetworkMember
from headrace.config.node import NodeConfig
from headrace.config.peer_secrets import read_secrets
from headrace.config.problems import Problem
from headrace.config.ticket_secrets import none_in_force, read_ticket_secrets
from headrace.http.server.ticket_keys import KEYS_CANNOT_BE_SET, keys_can_be_set
from headrace.ownership import foreign

_INTERFACES = Path("/sys/class/net")


def tls_problems(config: NodeConfig) -> list[Problem]:
    """Return what is wrong with the certificates, and with the secrets for tickets."""
    found = [
        problem
        for index, certificate in enumerate(config.certificates)
        for problem in pair_problems(certificate.cert, certificate.key, ("certificate", index))
    ]
    return found + ticket_problems(config.tls.ticket_secret_file)


def ticket_problems(path: Path | None) -> list[Problem]:
    """Return why the secrets for session tickets cannot be used on this machine."""
    if path is None:
        return []
    remedy = "run `headrace tickets new` with a file's name, and put that file on every server"
    try:
        problem = none_in_force(read_ticket_secrets(path), time.time())
    except ValueError as error:
        problem = str(error)
    if not problem and not keys_can_be_set():
        problem = KEYS_CANNOT_BE_SET
        remedy = "run headrace with the Python of your distribution, or remove the line"
    if not problem:
        return []
    place = ("tls", "ticket_secret_file")
    return [Problem(path=place, value=repr(str(path)), message=problem, remedy=remedy)]


def pair_problems(cert: Path, key: Path, place: tuple[str | int, ...]) -> list[Problem]:
    """Return what is wrong with a certificate and its key."""
    from headrace.config.certificate_files import load_pair  # cryptography takes its time

    fault = load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)
    if fault is None:
        return []
    return [Problem(path=place, value=repr(str(cert)), message=fault.message, remedy=fault.remedy)]


def bad_authorities(path: Path, place: tuple[str | int, ...]) -> Problem | None:
    """Return why a file of authorities cannot be used; None for one that can."""
    missing = unreadable(path, place)
    if missing is not None:
        return missing
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError):
        return Problem(
            path=place,
            value=repr(str(path)),
            message="holds no certificate of an authority in PEM",
            remedy="name a file of PEM certificates, one after the other",
        )
    return None


def interface_problems(config: NodeConfig, interfaces: Path = _INTERFACES) -> list[Problem]:
    """Return whether there is no network interface as the admin API is to tell of."""
    name = None if config.admin is None else config.admin.interface
    if name is None or (interfaces / name).exists():
        return []
    known = sorted(path.name for path in interfaces.iterdir()) if interfaces.is_dir() else []
    return [
        Problem(
            path=("admin", "interface"),
            value=repr(name),
            message="this machine has no such network interface",
            remedy=f"name one of {', '.join(known[:10])}" if known else "remove the line",
        )
    ]


def directory_problems(wanted: Path, key: str) -> list[Problem]:
    """Return why the directory that stands under `key` cannot be used, or made."""
    directory = _nearest_existing(wanted)
    others = foreign(directory) if directory == wanted else None
    if others is not None:
        return [Problem(path=(key,), value=repr(str(wanted)), message=others[0], remedy=others[1])]
    if os.access(directory, os.W_OK | os.X_OK) and directory.is_dir():
        return []
    return [
        Problem(
            path=(key,),
            value=repr(str(wanted)),
            message=f"{directory} cannot be written to",
            remedy="name a directory that the user who runs headrace may write to",
        )
    ]


def member_problems(member: NetworkMember | None) -> list[Problem]:
    """Return what of the `[network]` table cannot be used on this machine: the secrets of the
    network, and the authorities of feedback processes.
    """
    if member is None:
        return []
    found = secret_problems(member.secret_file, ("network", "secret_file"))
    if member.feedback_ca is not None:
        bad = bad_authorities(member.feedback_ca, ("network", "feedback_ca"))
        found += [] if bad is None else [bad]
    return found


def secret_problems(path: Path | None, place: tuple[str, ...]) -> list[Problem]:
    """Return what is wrong with a file of secrets, which the setting at `place` names."""
    if path is None:
        return []
    try:
        read_secrets(path)
    except ValueError as error:
        return [
            Problem(
                path=place,
                value=repr(str(path)),
                message=str(error),
                remedy="name a file that the user who runs headrace can read, with one secret of "
                "at least 32 characters a line, the newest first",
            )
        ]
    return []


def unreadable(path: Path, place: tuple[str | int, ...]) -> Problem | None:
    """Return the problem of a file that cannot be read; None for one that can."""
    if os.access(path, os.R_OK):
        return None
    return Problem(
        path=place,
        value=repr(str(path)),
        message="no such file, or it cannot be read",
        remedy="name a file that the user who runs headrace can read",
    )


def _nearest_existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
