"""What any node asks of its machine."""

from __future__ import annotations

from pathlib import Path

from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.config.network_member import NetworkMember
from headrace.config.node import NodeConfig
from headrace.config.node_check import interface_problems, member_problems
from tests.harness.certificates import Authority


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


def test_the_authorities_of_feedback_processes_must_be_some(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("no certificate\n")
    for path in (wrong, tmp_path / "missing"):
        member = NetworkMember(file=tmp_path / "network.toml", feedback_ca=path)
        (problem,) = member_problems(member)
        assert problem.path == ("network", "feedback_ca")
    right = Authority(tmp_path / "authority").ca_file
    assert member_problems(NetworkMember(file=tmp_path / "n", feedback_ca=right)) == []
    assert member_problems(None) == []
