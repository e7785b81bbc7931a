"""A machine that cannot have a lab says why, and what to do."""

from __future__ import annotations

import os
import shutil

import pytest

from headrace.lab.errors import LabError
from headrace.lab.namespaces import namespace
from headrace.lab.network import missing
from headrace.lab.network.missing import refuse_missing
from tests.unit.lab.network.plans import plan_of

CONFIG = plan_of().config


def test_who_is_not_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="not root: run it with sudo"):
        refuse_missing(CONFIG)


def test_all_that_is_not_installed_is_named_with_one_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: "/bin/ip" if tool == "ip" else None)
    with pytest.raises(LabError) as error:
        refuse_missing(CONFIG)
    assert "bird is not installed" in str(error.value)
    assert str(error.value).endswith("sudo apt install iproute2 nftables bird2")


def test_a_container_without_rights_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_command: str, **_options: object) -> str:
        raise LabError("ip netns add probe: mount --make-shared /run/netns failed: not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: f"/usr/sbin/{tool}")
    monkeypatch.setattr(missing, "find_spec", lambda _name: object())
    monkeypatch.setattr(namespace, "run", refused)
    with pytest.raises(LabError, match="makes no network namespaces: in a container, give it CAP"):
        refuse_missing(CONFIG)
