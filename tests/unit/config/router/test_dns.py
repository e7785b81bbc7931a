"""Mistakes in `[dns]` get a message that says what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.config.loader import validate_document
from headrace.config.problems import ConfigError
from headrace.config.router import ROUTER
from headrace.config.router.dns import Dns

ZONE: dict[str, Any] = {"name": "cdn.example", "nameservers": ["ns1.cdn.example"]}


def dns_of(**changes: Any) -> Dns:
    """Return the table of a router's file with one zone, and something changed."""
    document = {
        "state_dir": "state",
        "network": {"file": "network.toml"},
        "listen": [{"address": "127.0.0.1:80"}],
        "dns": {"listen": ["192.0.2.53:53"], "zone": [ZONE]} | changes,
    }
    config = validate_document(document, ROUTER, lambda _path: "router.toml:1", base=Path("/"))
    assert config.dns is not None
    return config.dns


def test_a_zone_and_an_address_are_enough() -> None:
    config = dns_of()
    assert config.listen == ["192.0.2.53:53"]
    assert (config.answers, config.shard_answers) == (2, 1)
    assert config.zones[0].ttl_s == 300


def test_a_configuration_comes_through_the_channel_to_a_worker() -> None:
    record = {"name": "@", "type": "CAA", "value": '0 issue "ca.example"'}
    config = dns_of(zone=[ZONE | {"record": [record], "alpn": ["h2", "http/1.1"]}])
    assert Dns.model_validate_json(config.model_dump_json(by_alias=False)) == config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"listen": []}, "dns.listen"),
        ({"listen": ["192.0.2.53:0"]}, "DNS needs an IP address and a port"),
        ({"listen": ["unix:/run/dns"]}, "DNS needs an IP address and a port"),
        ({"listen": ["*:53"]}, r"list both 0.0.0.0:53 and \[::\]:53"),
        ({"listen": ["ns1.example:53"]}, "not a numeric IP address"),
        ({"listen": ["192.0.2.53:53", "192.0.2.53:53"]}, "in listen twice"),
        ({"zone": []}, "dns.zone"),
        ({"zone": [ZONE, ZONE | {"name": "CDN.example."}]}, "cdn.example is in zone twice"),
        ({"zone": [ZONE | {"name": "cdn..example"}]}, "is not a domain name"),
        ({"zone": [ZONE | {"nameservers": []}]}, "nameservers"),
        ({"zone": [ZONE | {"mailbox": "nobody"}]}, "write hostmaster@cdn.example"),
        ({"zone": [ZONE | {"ttl": "100000d"}]}, "ttl"),
        ({"limits": {"slip": 200}}, "slip"),
        ({"limits": {"memory": "1KiB"}}, "memory"),
        ({"answers": 0}, "answers"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        dns_of(**changes)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([("ns1", "A", "2001:db8::1")], "is no A record"),
        ([("ns1", "AAAA", "192.0.2.1")], "is no AAAA record"),
        ([("@", "CAA", "issue")], "is no CAA record"),
        ([("@", "TXT", '"' + "x" * 300 + '"')], "is no TXT record"),
        ([("a", "MX", "10 mail")], "type"),
        ([("@", "CNAME", "other.example.")], "and so no CNAME"),
        ([("a", "CNAME", "b"), ("a", "A", "192.0.2.1")], "which must be its only record"),
        ([("a", "CNAME", "b"), ("a", "CNAME", "c")], "which must be its only record"),
        ([("x." * 121 + "x", "A", "192.0.2.1")], "longer than a name may be"),
        ([("a b", "A", "192.0.2.1")], "not a domain name"),
    ],
)
def test_a_record_that_is_none_is_said_with_its_remedy(
    records: list[tuple[str, str, str]], said: str
) -> None:
    tables = [{"name": name, "type": kind, "value": value} for name, kind, value in records]
    with pytest.raises(ConfigError, match=said):
        dns_of(zone=[ZONE | {"record": tables}])


def test_a_name_without_a_final_dot_is_one_of_the_zone() -> None:
    record = {"name": "www", "type": "CNAME", "value": "other"}
    config = dns_of(zone=[ZONE | {"record": [record]}])
    data = config.zones[0].records[0].data("cdn.example")
    assert data == b"\x05other\x03cdn\x07example\x00"
