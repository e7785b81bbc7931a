"""A router's configuration: what is refused, with its line and its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.cli.role_file import RoleName, role_of
from headrace.config.loader import check_machine, load_config, parse_config
from headrace.config.problems import ConfigError
from headrace.config.router import ROUTER
from headrace.config.router.model import RouterConfig

EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "router.toml"
START = 'state_dir = "state"\nlisten = [{ address = "127.0.0.1:0" }]\nnetwork = { file = "n" }\n'


def loaded(more: str) -> RouterConfig:
    return parse_config(START + more, "router.toml", ROUTER, base=Path("/base"))


def test_the_example_is_right() -> None:
    config = load_config(EXAMPLE, ROUTER)
    assert config.state_dir == Path("/var/lib/headrace-router")
    assert config.steering.ttl_s == 20


def test_relative_paths_start_from_the_file() -> None:
    assert loaded("").state_dir == Path("/base/state")


def test_a_worker_gets_the_same_configuration() -> None:
    config = loaded('trusted_proxies = ["10.0.0.0/8", "unix"]\n[debug]\ntoken = "0123456789abcdef"')
    assert RouterConfig.from_json(config.to_json()) == config
    assert "0123456789abcdef" not in repr(config)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('trusted_proxies = ["10.0.0.1/8"]', "no bit set behind the prefix"),
        ('trusted_proxies = ["proxy"]', "write 10.0.0.0/8"),
        ('forwarded_field = "Via"', "X-Forwarded-For"),
        ('api_hosts = ["http://a"]', "a host pattern has no scheme"),
        ("api_hosts = []", "at least 1"),
        ('redirect_max_age = "2h"', "3600"),
        ('[debug]\ntoken = "short"', "at least 16"),
        ('[debug]\ntoken = "0123456789abcdef"\ntoken_file = "f"', "exclude each other"),
        ('[debug]\nnetworks = ["unix"]', "is no network"),
        ('[steering]\nttl = "0s"', "1"),
        ("[steering]\nttl = 1e99", "3600"),
        ("[steering]\nmin_throughput = -1", "0"),
        ("[stearing]\nttl = 5", "steering"),
        ('cache_dir = "c"', "cache_dir"),
    ],
)
def test_what_is_wrong_is_refused(more: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        loaded(more)
    assert "router.toml:" in str(caught.value)


def test_a_network_must_be_named() -> None:
    with pytest.raises(ConfigError, match="network"):
        parse_config(START.partition("network")[0], "router.toml", ROUTER, base=Path("/"))


def test_what_this_machine_does_not_have_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "router.toml"
    file.write_text(START + '[debug]\ntoken_file = "nowhere"\n')
    with pytest.raises(ConfigError) as caught:
        check_machine(load_config(file, ROUTER), ROUTER, file)
    assert "router.toml:3" in str(caught.value)
    assert "router.toml:5" in str(caught.value)


@pytest.mark.parametrize("setting", ["peers = true", 'client_ca = "/ca"'])
def test_no_address_is_for_servers_alone(tmp_path: Path, setting: str) -> None:
    """Else certificates would be written down that nobody asks for."""
    address = 'address = "127.0.0.1:0"'
    file = tmp_path / "router.toml"
    file.write_text(START.replace(address, f"{address}, {setting}"))
    with pytest.raises(ConfigError, match="answers no servers of the network"):
        check_machine(load_config(file, ROUTER), ROUTER, file)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        (START, RoleName.ROUTER),
        ('cache_dir = "c"\n[steering]\n', RoleName.EDGE),
        ('[network]\nfile = "n"\n', RoleName.EDGE),
        ("not toml", RoleName.EDGE),
    ],
)
def test_a_file_says_whose_it_is(tmp_path: Path, text: str, role: RoleName) -> None:
    file = tmp_path / "some.toml"
    file.write_text(text)
    assert role_of(file) is role
