"""The small values that a description is made of, with their bounds."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from headrace.config.base import Written
from headrace.config.units import BitRateBps
from headrace.http.hosts import literal_address, normalise_host_pattern
from headrace.http.origin_url import parse_origin_url

_MOST_BPS = 10**15
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Continent = Literal["AF", "AN", "AS", "EU", "NA", "OC", "SA"]
Port = Annotated[int, Field(ge=0, le=65535)]
CapacityBps = Annotated[BitRateBps, Field(gt=0, le=_MOST_BPS)]
Weight = Annotated[float, Field(gt=0, le=1000)]


def _coordinates(pair: list[float]) -> list[float]:
    if len(pair) != 2 or not (-90 <= pair[0] <= 90 and -180 <= pair[1] <= 180):
        raise ValueError(
            "not coordinates: write latitude (-90 to 90) and longitude (-180 to 180) in degrees, "
            "such as [59.91, 10.75]"
        )
    return pair


def _host(text: str) -> str:
    host = normalise_host_pattern(text)
    address = literal_address(host)
    if address is not None:
        _check_one_host(address)
    if host.startswith("*"):
        raise ValueError("a server has one host name: write it without a star")
    return host


def _ipv4(text: str) -> str:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address: write 192.0.2.1") from None
    _check_one_host(address)
    return str(address)


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IPv6 address: write 2001:db8::1, without brackets"
        ) from None
    if address.scope_id is not None or address.ipv4_mapped is not None:
        raise ValueError(
            "an address that others cannot reach as it is: write a global one, without a zone, "
            "and an IPv4 address under ipv4"
        )
    _check_one_host(address)
    return str(address)


def _check_one_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_unspecified or address.is_multicast or address == _BROADCAST:
        raise ValueError(
            f"{str(address)!r} is no address of one server: write the one at which others reach it"
        )


def _base_url(text: str) -> str:
    return str(parse_origin_url(text))


def _admin_url(text: str) -> str:
    url = parse_origin_url(text)
    if url.prefix:
        raise ValueError("an admin API has no path: write http://192.0.2.1:9090")
    return str(url)


Coordinates = Annotated[
    list[float], AfterValidator(_coordinates), Written("latitude and longitude")
]
HostName = Annotated[str, AfterValidator(_host)]
Ipv4Text = Annotated[str, AfterValidator(_ipv4)]
Ipv6Text = Annotated[str, AfterValidator(_ipv6)]
BaseUrl = Annotated[str, Field(max_length=2048), AfterValidator(_base_url)]
AdminUrl = Annotated[str, Field(max_length=512), AfterValidator(_admin_url)]
PrefixText = Annotated[str, Field(min_length=1, max_length=64)]
