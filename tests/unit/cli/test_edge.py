from __future__ import annotations

from pathlib import Path

import pytest

from headrace.cli.edge import UsageError, edge, one_line_config
from headrace.config.problems import ConfigError


def test_the_short_form_serves_every_host_from_one_origin() -> None:
    config = one_line_config(
        listen=["127.0.0.1:8080"], origin="http://127.0.0.1:8000", cache_dir=Path("/c")
    )
    assert [(service.hosts, service.origins) for service in config.services] == [
        (["*"], ["http://127.0.0.1:8000"])
    ]


def test_without_admin_there_is_no_admin() -> None:
    config = one_line_config(listen=["127.0.0.1:1"], origin="http://o:1", cache_dir=Path("/c"))
    assert config.admin is None


def test_a_certificate_makes_every_address_tls() -> None:
    config = one_line_config(
        listen=["127.0.0.1:1", "[::1]:2"],
        origin="http://o:1",
        cache_dir=Path("/c"),
        certificate=(Path("/cert"), Path("/key")),
    )
    assert [listener.tls for listener in config.listeners] == [True, True]


@pytest.mark.parametrize(
    ("changed", "option"),
    [
        ({"listen": ["nonsense"]}, "--listen"),
        ({"origin": "ftp://o"}, "--origin"),
        ({"workers": 0}, "--workers"),
        ({"cache_size": "ten"}, "--cache-size"),
        ({"admin": "x"}, "--admin"),
        ({"log_level": "loud"}, "--log-level"),
    ],
)
def test_a_wrong_option_is_named(changed: dict[str, object], option: str) -> None:
    right: dict[str, object] = {
        "listen": ["127.0.0.1:1"],
        "origin": "http://o:1",
        "cache_dir": Path("/c"),
    }
    with pytest.raises(ConfigError) as raised:
        one_line_config(**(right | changed))  # type: ignore[arg-type]
    assert str(raised.value).startswith(option)


def test_a_file_excludes_options() -> None:
    with pytest.raises(UsageError, match="--listen"):
        edge(config=Path("edge.toml"), listen=["127.0.0.1:1"])


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match="--origin, --cache-dir"):
        edge(listen=["127.0.0.1:1"])


def test_certificate_and_key_go_together() -> None:
    with pytest.raises(UsageError, match="--tls-key"):
        edge(
            listen=["127.0.0.1:1"],
            origin="http://o:1",
            cache_dir=Path("/c"),
            tls_cert=Path("/cert"),
        )
