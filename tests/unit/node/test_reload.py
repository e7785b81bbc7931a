"""What a reload may change, and what the workers are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.config import Admin, Config, Listener, Service, StoreOptions
from headrace.edge.role import EdgeRole
from headrace.node.reload import RestartNeededError, check_reloadable, worker_config


def config(**changes: Any) -> Config:
    values: dict[str, Any] = {
        "cache_dir": Path("/cache"),
        "listeners": [Listener(address="127.0.0.1:8080"), Listener(address="unix:/run/e.sock")],
        "services": [Service(name="a", hosts=["*"], origins=["http://origin.example"])],
        **changes,
    }
    return Config(**values)


def check(old: Config, new: Config) -> None:
    role = EdgeRole()
    check_reloadable(old, new, role.fixed(old), role.fixed(new))


@pytest.mark.parametrize(
    "changes",
    [
        {"workers": 7},
        {"drain_timeout_s": 1.0},
        {"listeners": [Listener(address="127.0.0.1:9090")]},
        {"listeners": [Listener(address="127.0.0.1:8080", backlog=1)]},
        {"services": [Service(name="b", hosts=["b.example"], origins=["http://b.example"])]},
    ],
)
def test_a_reload_may_change_what_workers_can_take_up(changes: dict[str, Any]) -> None:
    check(config(), config(**changes))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cache_dir": Path("/other")}, "cache_dir"),
        ({"store": StoreOptions(size_bytes=2**30)}, "store.size"),
        ({"store": StoreOptions(slice_bytes=2**20)}, "store.slice"),
        ({"admin": Admin(listen="127.0.0.1:9090")}, "admin"),
        ({"listeners": [Listener(address="127.0.0.1:8080", v6_only=True)]}, "v6_only of 127"),
        (
            {"listeners": [Listener(address="unix:/run/e.sock", unix_mode=0o600)]},
            "unix_mode of unix:/run/e.sock",
        ),
    ],
)
def test_a_reload_may_not_change_what_needs_a_restart(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RestartNeededError, match=named):
        check(config(), config(**changes))


def test_all_that_needs_a_restart_is_named_at_once() -> None:
    with pytest.raises(RestartNeededError, match="cache_dir and admin"):
        check(config(), config(cache_dir=Path("/other"), admin=Admin(listen="127.0.0.1:1")))


def test_workers_do_not_learn_the_admin_token() -> None:
    secret = "0123456789abcdef-secret"
    told = worker_config(config(admin=Admin(listen="127.0.0.1:1", token=secret)))
    assert secret not in told
    assert Config.from_json(told).admin is None
