"""The unit, the rotation, the first configuration and the manuals speak of the same things."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from headrace.config.edge import EDGE
from headrace.config.feedback import FEEDBACK
from headrace.config.loader import load_config
from headrace.config.router import ROUTER
from headrace.config.vip import VIP

ROOT = Path(__file__).parents[3]
PACKAGING = ROOT / "packaging"
PAGES = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", *PACKAGING.iterdir()]
INSTALLING = (ROOT / "docs" / "installing.md").read_text()
VERBS = "status|start|stop|restart|reload|enable --now|disable --now|kill [^\n`]*-s USR1"


def unit(name: str = "headrace-edge.service") -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(PACKAGING / name)
    return parser["Service"]


def test_every_command_names_the_unit_as_it_is_called() -> None:
    named = [
        (page.name, found)
        for page in PAGES
        for found in re.findall(rf"systemctl (?:{VERBS}) ([\w.-]+)", page.read_text())
        if found != "without"
    ]
    assert named
    units = ("headrace-edge", "headrace-router", "headrace-feedback", "headrace-vip")
    assert {found.removesuffix(".service") for _page, found in named} == set(units)


def test_the_first_configuration_is_valid_and_uses_the_units_directories() -> None:
    config = load_config(PACKAGING / "edge.toml", EDGE)
    assert str(config.cache_dir) == f"/var/cache/{unit()['CacheDirectory']}"
    assert str(config.access_log.path) == f"/var/log/{unit()['LogsDirectory']}/access.log"


@pytest.mark.parametrize("name", ["headrace-edge", "headrace-router"])
def test_the_access_log_is_rotated_as_the_units_user(name: str) -> None:
    rotation = (PACKAGING / f"{name}.logrotate").read_text()
    service = unit(f"{name}.service")
    assert f"/var/log/{service['LogsDirectory']}/access.log {{" in rotation
    assert f"su {service['User']} {service['Group']}" in rotation
    assert f"-s USR1 {name}.service" in rotation


def test_the_unit_gives_running_responses_their_time() -> None:
    config = load_config(PACKAGING / "edge.toml", EDGE)
    assert int(unit()["TimeoutStopSec"]) > config.drain_timeout_s + 10


def test_the_manual_names_the_directories_with_the_units_modes() -> None:
    modes = {
        "/var/cache/": unit()["CacheDirectoryMode"],
        "/var/log/": unit()["LogsDirectoryMode"],
        "/run/": unit()["RuntimeDirectoryMode"],
        "/etc/": unit()["ConfigurationDirectoryMode"],
    }
    for directory, mode in modes.items():
        row = re.search(rf"^\| `{directory}headrace` \|.*$", INSTALLING, re.MULTILINE)
        assert row is not None
        assert mode in row.group()
    assert f"install -d -o root -g headrace -m {modes['/etc/']} /etc/headrace" in INSTALLING
    assert unit()["ExecStart"].startswith("/opt/headrace/bin/headrace edge --config /etc/headrace/")


def test_a_router_has_a_unit_and_a_first_configuration_that_fit() -> None:
    router = unit("headrace-router.service")
    config = load_config(PACKAGING / "router.toml", ROUTER)
    assert str(config.state_dir) == f"/var/lib/{router['StateDirectory']}"
    assert int(router["TimeoutStopSec"]) > config.drain_timeout_s + 10
    assert router["ExecStart"].endswith("headrace router --config /etc/headrace/router.toml")
    edge = unit()
    own = {"ExecStart", "StateDirectory", "StateDirectoryMode", "SystemCallFilter"}
    assert {key for key in router if key not in own and router[key] != edge.get(key)} == {
        "LogsDirectory",
        "RuntimeDirectory",
    }


def test_a_feedback_process_has_a_unit_and_a_first_configuration_that_fit() -> None:
    feedback, router = unit("headrace-feedback.service"), unit("headrace-router.service")
    config = load_config(PACKAGING / "feedback.toml", FEEDBACK)
    assert str(config.state_dir) == f"/var/lib/{feedback['StateDirectory']}"
    assert config.publish.file is not None
    assert str(config.publish.file.parent) == f"/run/{feedback['RuntimeDirectory']}"
    assert int(feedback["TimeoutStopSec"]) > config.drain_timeout_s + 10
    assert feedback["ExecStart"].endswith("headrace feedback --config /etc/headrace/feedback.toml")
    own = {"ExecStart", "StateDirectory", "RuntimeDirectory"}
    assert {key: feedback[key] for key in feedback if key not in own} == {
        key: router[key] for key in router if key not in own and not key.startswith("LogsDirectory")
    }


def test_a_vip_process_has_a_unit_and_a_first_configuration_that_fit() -> None:
    vip, feedback = unit("headrace-vip.service"), unit("headrace-feedback.service")
    config = load_config(PACKAGING / "vip.toml", VIP)
    assert str(config.state_dir) == f"/var/lib/{vip['StateDirectory']}"
    assert int(vip["TimeoutStopSec"]) > config.drain_timeout_s + 10
    assert vip["ExecStart"].endswith("headrace vip run --config /etc/headrace/vip.toml")
    # At a shutdown, units stop in the reverse order.
    assert "headrace-edge.service" in (PACKAGING / "headrace-vip.service").read_text()
    own = {"ExecStart", "StateDirectory", "StateDirectoryMode", "RestartSec", "LimitNOFILE"}
    own |= {"AmbientCapabilities", "CapabilityBoundingSet", "RestrictAddressFamilies"}
    # Whatever ends the process, nothing is announced after.
    assert vip["ExecStopPost"].endswith("headrace vip withdraw --config /etc/headrace/vip.toml")
    own.add("ExecStopPost")
    assert {key: vip[key] for key in vip if key not in own} == {
        key: feedback[key]
        for key in feedback
        if key not in own and not key.startswith("RuntimeDirectory")
    }
    assert vip["CapabilityBoundingSet"] == vip["AmbientCapabilities"] == "CAP_NET_ADMIN"
    assert "AF_NETLINK" in vip["RestrictAddressFamilies"]
