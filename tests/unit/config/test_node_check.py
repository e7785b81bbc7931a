"""What any node asks of its machine."""

from __future__ import annotations

from pathlib import Path

from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.config.node import NodeConfig
from headrace.config.node_check import interface_problems


def config(interface: str | None) -> NodeConfig:
    admin: dict[str, object] = {"listen": "127.0.0.1:9090"}
    if interface is not None:
        admin["interface"] = interface
    document = {
        "cache_dir": "/c",
        "listen": [{"address": "127.0.0.1:80"}],
        "admin": admin,
        "service": [{"name": "s", "hosts": ["*"], "origins": ["http://o"]}],
    }
    return validate_document(document, EDGE, str, base=Path("/"))


def test_an_interface_that_is_named_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "eth0").mkdir()
    assert not interface_problems(config(None), tmp_path)
    assert not interface_problems(config("eth0"), tmp_path)
    (problem,) = interface_problems(config("eth1"), tmp_path)
    assert problem.path == ("admin", "interface")
    assert "eth0" in problem.remedy
    (problem,) = interface_problems(config("eth0"), tmp_path / "no")
    assert problem.remedy == "remove the line"
