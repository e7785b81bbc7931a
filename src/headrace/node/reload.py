"""What a reload may change: decided by comparing two configs. Pure."""

from __future__ import annotations

from headrace.config import Config
from headrace.errors import HeadraceError


class RestartNeededError(HeadraceError):
    """The new config changes what a running server cannot change."""


def check_reloadable(old: Config, new: Config) -> None:
    """Raise RestartNeededError, naming the settings, when `new` needs a restart."""
    changed = [
        name
        for name, before, after in (
            ("cache_dir", old.cache_dir, new.cache_dir),
            ("store.size", old.store.size_bytes, new.store.size_bytes),
            ("store.slice", old.store.slice_bytes, new.store.slice_bytes),
            ("admin", old.admin, new.admin),
        )
        if before != after
    ]
    changed += _socket_settings_changed(old, new)
    if changed:
        raise RestartNeededError(
            f"a reload cannot change {' and '.join(changed)}: put the old value back, or restart"
        )


def worker_config(config: Config) -> str:
    """The config as a worker gets it: JSON, without the admin API and its token."""
    return config.model_copy(update={"admin": None}).to_json()


def _socket_settings_changed(old: Config, new: Config) -> list[str]:
    """Settings that belong to a socket's making, at addresses that stay."""
    before = {listener.address: listener for listener in old.listeners}
    changed = []
    for listener in new.listeners:
        former = before.get(listener.address)
        if former is None:
            continue
        if listener.v6_only != former.v6_only:
            changed.append(f"v6_only of {listener.address}")
        if listener.unix_mode != former.unix_mode and listener.address.startswith("unix:"):
            changed.append(f"unix_mode of {listener.address}")
    return changed
