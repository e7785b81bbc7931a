"""What a reload may change: decided by comparing two configurations. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.config.node import NodeConfig
from headrace.errors import HeadraceError


class RestartNeededError(HeadraceError):
    """The new config changes what a running server cannot change."""


class NotServingError(HeadraceError):
    """The node is starting or stopping, so it has no workers that could change."""


def check_reloadable(
    old: NodeConfig,
    new: NodeConfig,
    old_fixed: Mapping[str, object],
    new_fixed: Mapping[str, object],
) -> None:
    """Check that no setting changes that cannot: the node's, and those that its role calls fixed.

    Raises RestartNeededError, which names the settings.
    """
    changed = [name for name, before in old_fixed.items() if new_fixed[name] != before]
    if old.admin != new.admin:
        changed.append("admin")
    changed += _network_settings_changed(old, new)
    changed += _socket_settings_changed(old, new)
    if changed:
        raise RestartNeededError(
            f"a reload cannot change {' and '.join(changed)}: put the old value back, or restart"
        )


def _network_settings_changed(old: NodeConfig, new: NodeConfig) -> list[str]:
    if old.network is None or new.network is None:
        return [] if old.network is new.network else ["network"]
    after = new.network.fixed
    return [name for name, before in old.network.fixed.items() if after[name] != before]


def worker_config(config: NodeConfig) -> str:
    """Return the configuration as a worker gets it: JSON, without the admin API and its token."""
    return config.model_copy(update={"admin": None}).to_json()


def _socket_settings_changed(old: NodeConfig, new: NodeConfig) -> list[str]:
    """Return the changed settings that belong to a socket's making, at addresses that stay."""
    before = {listener.address: listener for listener in old.listeners}
    changed = []
    for listener in new.listeners:
        former = before.get(listener.address)
        if former is None:
            continue
        if listener.v6_only != former.v6_only:
            changed.append(f"v6_only of {listener.address}")
        if listener.freebind != former.freebind:
            changed.append(f"freebind of {listener.address}")
        if listener.unix_mode != former.unix_mode and listener.address.startswith("unix:"):
            changed.append(f"unix_mode of {listener.address}")
    return changed
