"""Who may see how a decision was made: clients of some networks, and who shows a token."""

from __future__ import annotations

import hmac
from pathlib import Path

from headrace.config.router.model import SHORTEST_TOKEN, Debug
from headrace.errors import HeadraceError
from headrace.http.message import Headers
from headrace.router.clients import Networks


class DebugTokenError(HeadraceError):
    """The debug token cannot be had."""


class DebugAccess:
    """Decides who may. `open` is whether anyone may at all."""

    def __init__(self, networks: Networks, token: bytes | None) -> None:
        self._networks = networks
        self._token = token
        self.open = bool(networks) or token is not None

    @staticmethod
    def of(options: Debug) -> DebugAccess:
        """Return the access that a configuration says. Raises DebugTokenError."""
        token = options.token
        if options.token_file is not None:
            token = _token_in(options.token_file)
        return DebugAccess(Networks(options.networks), token.encode() if token else None)

    def allows(self, client: bytes | None, headers: Headers) -> bool:
        """Return whether this client may, by its address or by what it shows."""
        if client is not None and client in self._networks:
            return True
        if self._token is None:
            return False
        scheme, _space, given = (headers.get(b"authorization") or b"").partition(b" ")
        # Compared in any case, so that the time it takes says nothing.
        same = hmac.compare_digest(given.strip(), self._token)
        return same and scheme.lower() == b"bearer"


def _token_in(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise DebugTokenError(f"cannot read the debug token from {path}: {why}") from error
    if len(token) < SHORTEST_TOKEN:
        raise DebugTokenError(
            f"the debug token in {path} is shorter than {SHORTEST_TOKEN} characters: make one "
            "with `openssl rand -hex 32`"
        )
    return token
