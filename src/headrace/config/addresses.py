"""Listening addresses: their accepted spellings, parsed.

Pure: nothing is resolved or bound here.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from headrace.http.origin_url import parse_port

_UNIX_PREFIX = "unix:"
UNIX_PATH_LIMIT = 107  # sun_path holds 108 bytes with its final NUL


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A numeric IPv4 or IPv6 address (without brackets) and a port; port 0 asks for a free one."""

    host: str
    port: int

    @property
    def is_v6(self) -> bool:
        """Whether this is an IPv6 address."""
        return ":" in self.host

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_v6 else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The path of a Unix stream socket."""

    path: Path

    def __str__(self) -> str:
        return f"{_UNIX_PREFIX}{self.path}"


Address = TcpAddress | UnixAddress


def parse_address(text: str) -> Address:
    """Parse a listening address: `127.0.0.1:8080`, `[::]:80`, `*:80`, `:80` or
    `unix:/run/edge.sock`.

    `*:80` and `:80` mean every IPv4 and IPv6 address (`[::]:80`). Raises ValueError.
    """
    if text.startswith(_UNIX_PREFIX):
        path = text.removeprefix(_UNIX_PREFIX)
        if not path.startswith("/"):
            raise ValueError("a Unix socket needs an absolute path: write unix:/run/headrace.sock")
        if len(path.encode()) > UNIX_PATH_LIMIT:
            raise ValueError(f"a Unix socket's path has at most {UNIX_PATH_LIMIT} bytes")
        return UnixAddress(Path(path))
    host, colon, port_text = text.rpartition(":")
    if not colon:
        raise ValueError("the port is missing: write 127.0.0.1:8080, [::]:80 or unix:/path")
    port = parse_port(port_text, 0)
    if host in {"", "*"}:
        return TcpAddress("::", port)
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ValueError(
            f"{host!r} is not a numeric IP address: listen on an address of this machine, "
            "such as 127.0.0.1:8080, or on [::]:80 for all"
        ) from None
    if bracketed != (address.version == 6):
        raise ValueError("an IPv6 address stands in brackets, an IPv4 one does not: [::1]:8080")
    return TcpAddress(str(address), port)
