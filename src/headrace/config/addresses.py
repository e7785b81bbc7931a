"""Listening addresses and origin URLs: their accepted spellings, parsed.

Pure: nothing is resolved or bound here.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from headrace.http.hosts import DEFAULT_PORTS, is_host_name

_UNIX_PREFIX = "unix:"
_UNIX_PATH_LIMIT = 107  # sun_path holds 108 bytes with its final NUL


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


@dataclass(frozen=True, slots=True)
class OriginUrl:
    """Where an origin is: `prefix` is put before every path and never ends with a slash."""

    scheme: str
    host: str
    port: int
    prefix: str

    @property
    def authority(self) -> str:
        """Host, with the port where it is not the scheme's default: fit for a Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.prefix}"


def _parse_port(text: str, lowest: int) -> int:
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= 65535):
        raise ValueError(f"{text!r} is not a port: write a number from {lowest} to 65535")
    return int(text)


def parse_address(text: str) -> Address:
    """Parse a listening address: `127.0.0.1:8080`, `[::]:80`, `*:80`, `:80` or
    `unix:/run/edge.sock`.

    `*:80` and `:80` mean every IPv4 and IPv6 address (`[::]:80`). Raises ValueError.
    """
    if text.startswith(_UNIX_PREFIX):
        path = text.removeprefix(_UNIX_PREFIX)
        if not path.startswith("/"):
            raise ValueError("a Unix socket needs an absolute path: write unix:/run/headrace.sock")
        if len(path.encode()) > _UNIX_PATH_LIMIT:
            raise ValueError(f"a Unix socket's path has at most {_UNIX_PATH_LIMIT} bytes")
        return UnixAddress(Path(path))
    host, colon, port_text = text.rpartition(":")
    if not colon:
        raise ValueError("the port is missing: write 127.0.0.1:8080, [::]:80 or unix:/path")
    port = _parse_port(port_text, 0)
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


def parse_origin_url(text: str) -> OriginUrl:
    """Parse an origin: `http(s)://host[:port][/prefix]`. Raises ValueError, which names the
    faulty part.
    """
    shape = "write http://host:port or https://host[/prefix]"
    if not text.isascii() or any(ord(character) <= 32 for character in text):
        raise ValueError(f"an origin has no blanks and only ASCII: {shape}")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"an origin begins with http:// or https://: {shape}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"an origin carries no user name or password: {shape}")
    if "?" in text or "#" in text:
        raise ValueError(f"an origin carries no query and no fragment: {shape}")
    host = parts.hostname or ""
    if not host:
        raise ValueError(f"the host is missing: {shape}")
    if ":" in host:
        try:
            host = str(ipaddress.IPv6Address(host))
        except ValueError:
            raise ValueError(f"{host!r} is not an IPv6 address: {shape}") from None
    elif not is_host_name(host):
        raise ValueError(f"{host!r} is not a host name: {shape}")
    after_host = parts.netloc.rpartition("]")[2]
    _, colon, port_text = after_host.rpartition(":")
    port = _parse_port(port_text, 1) if colon else DEFAULT_PORTS[parts.scheme]
    return OriginUrl(parts.scheme, host, port, parts.path.rstrip("/"))
