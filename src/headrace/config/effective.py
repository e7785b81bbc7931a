"""The effective configuration as TOML: every value in force, defaults included, secrets masked."""

from __future__ import annotations

from typing import Any

import tomli_w

from headrace.config.model import Config
from headrace.config.secrets import masked


def effective_toml(config: Config, *, show_secrets: bool = False) -> str:
    """TOML that loads to this very configuration, but for masked secrets."""
    document: dict[str, Any] = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    for listener in document["listen"]:
        listener["unix_mode"] = f"{listener['unix_mode']:04o}"
    for service in document["service"]:
        negative = service["cache"].get("negative")
        if negative is not None:
            service["cache"]["negative"] = {str(status): s for status, s in negative.items()}
    return tomli_w.dumps(document if show_secrets else masked(document))
