"""What a configuration may say of TLS between servers, and what it is told where it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.edge import EDGE
from headrace.config.edge.machine_check import machine_problems
from headrace.config.loader import parse_config
from headrace.config.problems import ConfigError
from tests.harness.certificates import Authority, Pair
from tests.harness.toml import to_toml

NETWORK: dict[str, object] = {"file": "/etc/network.toml", "server": "one"}


def text(listener: dict[str, object], pair: Pair, **network: object) -> str:
    return to_toml(
        {
            "cache_dir": pair.cert.parent,
            "listen": [{"address": "127.0.0.1:1", **listener}],
            "certificate": [{"cert": pair.cert, "key": pair.key}],
            "network": {**NETWORK, **network},
            "service": [{"name": "a", "hosts": ["*"], "origins": ["http://o:1"]}],
        }
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def complaints(written: str) -> list[str]:
    """Return what is said of a file: line, place and problem of each."""
    try:
        config = parse_config(written, "edge.toml", EDGE, base=Path("/"))
    except ConfigError as error:
        return [line for line in str(error).splitlines() if ": error: " in line]
    return [
        f"{'.'.join(map(str, found.path))}: {found.message}" for found in machine_problems(config)
    ]


def test_certificates_need_no_secret(authority: Authority) -> None:
    pair = authority.issue("one.test")
    listener = {"tls": True, "peers": True, "client_ca": authority.ca_file}
    tiering = {"cert": pair.cert, "key": pair.key, "ca": authority.ca_file}
    assert complaints(text(listener, pair, tiering=tiering)) == []


def test_the_end_of_the_certificate_that_servers_see_is_watched_too(authority: Authority) -> None:
    shown, asking = authority.issue("one.test"), authority.issue("asking.test")
    for tiering, expected in (
        ({}, [shown.cert]),
        ({"cert": asking.cert, "key": asking.key}, [shown.cert, asking.cert]),
    ):
        config = parse_config(
            text({"tls": True}, shown, tiering=tiering), "edge.toml", EDGE, base=Path("/")
        )
        assert [one.cert for one in config.all_certificates] == expected


@pytest.mark.parametrize(
    ("listener", "says"),
    [
        ({"tls": True, "peers": True}, "no server of a network can be told from a client here"),
        ({"tls": True, "client_ca": "/ca"}, "certificates are asked of other servers only"),
        ({"peers": True, "client_ca": "/ca"}, "certificates are asked of other servers only"),
    ],
)
def test_an_address_for_servers_must_be_able_to_tell_them(
    authority: Authority, listener: dict[str, object], says: str
) -> None:
    (told,) = complaints(text(listener, authority.issue("one.test")))
    assert says in told
    assert told.startswith("edge.toml:")


@pytest.mark.parametrize("alone", ["cert", "key"])
def test_a_certificate_and_its_key_come_together(authority: Authority, alone: str) -> None:
    pair = authority.issue("one.test")
    (told,) = complaints(text({}, pair, tiering={alone: getattr(pair, alone)}))
    assert f"network.tiering.{alone}" in told
    assert "belong together" in told


def test_files_that_are_not_what_they_should_be_are_named(
    authority: Authority, tmp_path: Path
) -> None:
    one, two = authority.issue("one.test"), authority.issue("two.test")
    empty = tmp_path / "empty.pem"
    empty.touch()
    listener = {"tls": True, "peers": True, "client_ca": empty}
    tiering = {"cert": one.cert, "key": two.key, "ca": tmp_path / "nowhere.pem"}
    assert complaints(text(listener, one, tiering=tiering)) == [
        "listen.0.client_ca: holds no certificate of an authority in PEM",
        "network.tiering.ca: no such file, or it cannot be read",
        f"network.tiering.cert: {two.key} is not the key of the certificate in {one.cert}",
    ]
