"""Where an origin is, as an operator writes it: `http(s)://host[:port][/prefix]`. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from headrace.http.hosts import DEFAULT_PORTS, is_host_name


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


def parse_port(text: str, lowest: int) -> int:
    """Return a port from `lowest` to 65535. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= 65535):
        raise ValueError(f"{text!r} is not a port: write a number from {lowest} to 65535")
    return int(text)


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
    if ":" in host or "[" in parts.netloc:
        try:
            host = str(ipaddress.IPv6Address(host))
        except ValueError:
            raise ValueError(f"{host!r} is not an IPv6 address: {shape}") from None
    elif not is_host_name(host):
        raise ValueError(f"{host!r} is not a host name: {shape}")
    after_host = parts.netloc.rpartition("]")[2]
    _, colon, port_text = after_host.rpartition(":")
    port = parse_port(port_text, 1) if colon else DEFAULT_PORTS[parts.scheme]
    return OriginUrl(parts.scheme, host, port, parts.path.rstrip("/"))
