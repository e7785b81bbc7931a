"""Hosts and the patterns that mean them: `www.example.org`, `*.example.org`, `*`. Pure.

A star stands for one or more whole labels in front, so `*.example.org` is not for `example.org`
itself. The names in a certificate follow another rule, one label only (see `server.tls_context`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

# The port of a scheme, which an authority need not name (RFC 9110 section 4.2).
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_LONGEST_NAME = 253
_Value = TypeVar("_Value")


def is_host_name(text: str) -> bool:
    """Return whether this is a host name or IPv4 address in lower-case ASCII, without a port or a
    final dot.
    """
    return len(text) <= _LONGEST_NAME and _HOST_NAME.fullmatch(text) is not None


def normalise_host_pattern(text: str) -> str:
    """Return a host pattern in lower case; `[2001:db8::1]` is accepted too. Raises ValueError."""
    pattern = text.lower()
    if pattern == "*":
        return pattern
    name = pattern.removeprefix("*.")
    if "%" in name:
        raise ValueError("a host pattern has no zone and no escapes: write www.example.org")
    if name.startswith("[") and name.endswith("]") and name == pattern:
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1])}]"
        except ValueError:
            raise ValueError(f"{text!r} is not an IPv6 address in brackets") from None
    if "*" in name:
        raise ValueError(
            "a star stands alone or as the whole first label: write *, *.example.org, "
            "or each name in full"
        )
    if ":" in name or "/" in name:
        raise ValueError("a host pattern has no scheme, port or path: write www.example.org")
    if not is_host_name(name):
        raise ValueError(
            f"{text!r} is not a host name: write www.example.org, *.example.org or * "
            "(international names in their xn-- form)"
        )
    return pattern


def literal_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is, such as `192.0.2.1` or `[2001:db8::1]`; None: a name."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def host_of(authority: bytes) -> bytes:
    """Return the host of `host[:port]`; an IPv6 address keeps its brackets."""
    if authority.startswith(b"["):
        return authority[: authority.find(b"]") + 1]
    return authority.split(b":", 1)[0]


def host_matches(pattern: bytes, host: bytes) -> bool:
    """Return whether a normalised pattern means this host (lower case, without a port)."""
    if pattern == b"*":
        return True
    if pattern.startswith(b"*."):
        return host.endswith(pattern[1:])
    return host == pattern


class HostTable(Generic[_Value]):
    """Finds what belongs to a host: by its name, else the longest `*.` pattern, else `*`."""

    __slots__ = ("_default", "_exact", "_suffixes")

    def __init__(self, patterns: Iterable[tuple[bytes, _Value]]) -> None:
        self._exact: dict[bytes, _Value] = {}
        self._default: _Value | None = None
        suffixes: list[tuple[bytes, _Value]] = []
        for pattern, value in patterns:
            if pattern == b"*":
                self._default = value
            elif pattern.startswith(b"*."):
                suffixes.append((pattern[1:], value))
            else:
                self._exact[pattern] = value
        self._suffixes = tuple(sorted(suffixes, key=lambda pair: -len(pair[0])))

    def find(self, authority: bytes) -> _Value | None:
        """Return what belongs to a normalised authority's host (its port is ignored), or None."""
        found = self._exact.get(authority)
        if found is not None:
            return found
        host = host_of(authority)
        found = self._exact.get(host)
        if found is not None:
            return found
        for suffix, candidate in self._suffixes:
            if host.endswith(suffix):
                return candidate
        return self._default
