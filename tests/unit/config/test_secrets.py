"""No secret of a configuration is shown: not by check, not in an error, not by a repr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.config.edge import EDGE
from headrace.config.edge.model import Config
from headrace.config.effective import effective_toml
from headrace.config.loader import validate_document
from headrace.config.problems import ConfigError
from headrace.config.secrets import MASK
from headrace.edge.service.services import compile_services

SECRET = "hunter2-hunter2-hunter2"


def document(**origin: object) -> dict[str, Any]:
    return {
        "cache_dir": "/c",
        "listen": [{"address": "127.0.0.1:1"}],
        "admin": {"listen": "127.0.0.1:2", "token": SECRET},
        "service": [
            {
                "name": "a",
                "hosts": ["*"],
                "pool": [
                    {
                        "name": "p",
                        "origin": [
                            {
                                "url": "http://o:1",
                                "headers": {"Authorization": f"Bearer {SECRET}", "X-Key": SECRET},
                                "signing": {"access_key": "id", "secret_key": SECRET},
                                **origin,
                            }
                        ],
                    }
                ],
            }
        ],
    }


def loaded(given: dict[str, Any]) -> Config:
    return validate_document(given, EDGE, lambda _path: "edge.toml:1", base=Path("/"))


def test_check_shows_no_secret() -> None:
    text = effective_toml(loaded(document()), EDGE)
    assert (SECRET in text, text.count(MASK)) == (False, 4)


def test_no_repr_shows_one() -> None:
    config = loaded(document())
    shown = repr(config) + repr(compile_services(config).all)
    assert SECRET not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"headers": {"X-Key": SECRET + "\n"}},
        {"headers": {"X-Key": [SECRET]}},
        {"headers": {"bad name": SECRET}},
        {"headers": {"Host": SECRET}},
        {"headers": SECRET},
        {"header": {"X-Key": SECRET}},
        {"signing": {"access_key": "id", "secret_key": SECRET, "secret_file": "/x"}},
        {"signing": {"access_key": "id", "secret_kye": SECRET}},
        {"signing": {"access_key": "id", "password": SECRET}},
        {"signing": SECRET},
        {"api-key": SECRET},
        {"token": SECRET},
        {"url": f"http://user:{SECRET}@o:1"},
    ],
)
def test_no_error_shows_one(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(document(**wrong))
    assert SECRET not in str(raised.value)


def test_a_mistyped_token_of_the_admin_api_is_not_shown() -> None:
    given = document()
    given["admin"]["tokne"] = given["admin"].pop("token")
    with pytest.raises(ConfigError) as raised:
        loaded(given)
    assert SECRET not in str(raised.value)
