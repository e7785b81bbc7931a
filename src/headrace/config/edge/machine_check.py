"""What a configuration asks of this machine: certificates that load, a directory to write in."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from headrace.config.certificate_files import load_pair
from headrace.config.edge.model import Config
from headrace.config.edge.service import Service
from headrace.config.problems import Problem
from headrace.ownership import foreign


def machine_problems(config: Config) -> list[Problem]:
    """Everything that this machine does not have as the configuration needs it."""
    found: list[Problem] = []
    for index, certificate in enumerate(config.certificates):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        fault = load_pair(context, certificate.cert, certificate.key)
        if fault is not None:
            found.append(
                Problem(
                    path=("certificate", index),
                    value=repr(str(certificate.cert)),
                    message=fault.message,
                    remedy=fault.remedy,
                )
            )
    for index, service in enumerate(config.services):
        if service.origin_ca is not None and not service.origin_ca.is_file():
            found.append(
                Problem(
                    path=("service", index, "origin_ca"),
                    value=repr(str(service.origin_ca)),
                    message="no such file",
                    remedy="name a PEM file of authorities, or remove the line",
                )
            )
        found += _missing_files(index, service)
    directory = _nearest_existing(config.cache_dir)
    others = foreign(directory) if directory == config.cache_dir else None
    if others is not None:
        found.append(
            Problem(
                path=("cache_dir",),
                value=repr(str(config.cache_dir)),
                message=others[0],
                remedy=others[1],
            )
        )
    elif not os.access(directory, os.W_OK | os.X_OK) or not directory.is_dir():
        found.append(
            Problem(
                path=("cache_dir",),
                value=repr(str(config.cache_dir)),
                message=f"{directory} cannot be written to",
                remedy="name a directory that the user who runs headrace may write to",
            )
        )
    return found


def _missing_files(index: int, service: Service) -> list[Problem]:
    """Return the files that a service's pools name and that cannot be read."""
    found: list[Problem] = []
    for pool_index, pool in enumerate(service.pools):
        for number, origin in enumerate(pool.origins):
            place = ("service", index, "pool", pool_index, "origin", number)
            secret = origin.signing.secret_file if origin.signing is not None else None
            for path, where in ((origin.ca, (*place, "ca")), (secret, (*place, "signing"))):
                if path is not None and not os.access(path, os.R_OK):
                    found.append(
                        Problem(
                            path=where,
                            value=repr(str(path)),
                            message="no such file, or it cannot be read",
                            remedy="name a file that the user who runs headrace can read",
                        )
                    )
    return found


def _nearest_existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
