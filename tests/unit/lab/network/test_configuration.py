"""Generated files are what their programs take."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.edge import EDGE
from headrace.config.feedback import FEEDBACK
from headrace.config.loader import load_config
from headrace.config.network import NETWORK
from headrace.config.root import Root
from headrace.config.router import ROUTER
from headrace.config.vip import VIP
from headrace.lab.network.certificates import write_certificates
from headrace.lab.network.configuration import files, secret_file, token_file
from headrace.lab.network.topology import shipped
from tests.unit.lab.network.plans import plan_of

ROOTS: dict[str, Root] = {  # type: ignore[type-arg]
    "network.toml": NETWORK,
    "edge.toml": EDGE,
    "router.toml": ROUTER,
    "feedback.toml": FEEDBACK,
    "vip.toml": VIP,
}


@pytest.mark.parametrize("name", shipped())
def test_every_program_takes_its_file_without_a_warning(name: str, tmp_path: Path) -> None:
    plan = plan_of(name, tmp_path)
    for secret in (secret_file(plan), token_file(plan)):
        secret.write_text("s" * 40)
    if plan.config.tls:
        write_certificates(plan)
    warnings: list[str] = []
    found = []
    for path, text in files(plan):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        if file.name in ROOTS:
            load_config(file, ROOTS[file.name], warn=warnings.append)
            found.append(file.name)
    assert warnings == []
    assert set(found) >= {"network.toml", "edge.toml", "router.toml", "vip.toml"}


def test_a_server_speaks_to_its_isp_in_both_families(tmp_path: Path) -> None:
    plan = plan_of(directory=tmp_path)
    for path, text in files(plan):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    config = load_config(tmp_path / "rome2" / "vip.toml", VIP)
    assert [str(one.address) for one in config.routers] == ["198.51.100.66", "2001:db8:2:101::1"]
    assert {one.as_number for one in config.routers} == {64501}
    assert config.speaker.as_number == 64511


def test_clients_ask_the_labs_own_routers(tmp_path: Path) -> None:
    plan = plan_of(directory=tmp_path)
    written = dict(files(plan))
    assert written["north-client1/resolv.conf"] == "nameserver 203.0.113.6\n"
