"""The secrets by which the servers of the network know each other."""

from __future__ import annotations

from headrace.config.peer_secrets import read_secrets
from headrace.config.vip.model import VipConfig
from headrace.errors import HeadraceError
from headrace.node.network.signed import Secrets


class BadSecrets(HeadraceError):
    """A file of secrets that cannot be used."""


def read_network_secrets(config: VipConfig) -> Secrets:
    """Return the secrets. Raises BadSecrets."""
    path = config.network.secret_file
    if path is None:
        return ()
    try:
        return read_secrets(path)
    except ValueError as error:
        raise BadSecrets(f"secret_file {path}: {error}") from error
