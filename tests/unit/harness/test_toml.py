"""The config files that tests write say what was meant."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.harness.toml import to_toml


def test_a_nested_document_comes_back_as_it_was() -> None:
    document: dict[str, object] = {
        "workers": 2,
        "share": 0.5,
        "on": True,
        "name": 'with "quotes"',
        "listen": [{"address": "127.0.0.1:1"}, {"address": "unix:/x", "tls": False}],
        "service": [{"cache": {"negative": {"404": 1}}, "hosts": ["*"]}],
    }
    assert tomllib.loads(to_toml(document)) == document


def test_a_path_is_written_as_text() -> None:
    assert tomllib.loads(to_toml({"dir": Path("/tmp/x")})) == {"dir": "/tmp/x"}
