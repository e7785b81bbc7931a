"""The effective configuration as TOML: every value in force, defaults included, secrets masked."""

from __future__ import annotations

from typing import Any

import tomli_w

from headrace.config.model import Config

MASK = "(hidden)"


def effective_toml(config: Config, *, show_secrets: bool = False) -> str:
    """TOML that loads to this very configuration, but for a masked token."""
    document: dict[str, Any] = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    for listener in document["listen"]:
        listener["unix_mode"] = f"{listener['unix_mode']:04o}"
    admin = document.get("admin")
    if admin is not None and "token" in admin and not show_secrets:
        admin["token"] = MASK
    for site in document["site"]:
        for origin in [origin for pool in site.get("pool", []) for origin in pool["origin"]]:
            if "secret_key" in (origin.get("signing") or {}) and not show_secrets:
                origin["signing"]["secret_key"] = MASK
        negative = site["cache"].get("negative")
        if negative is not None:
            site["cache"]["negative"] = {str(status): s for status, s in negative.items()}
    return tomli_w.dumps(document)
